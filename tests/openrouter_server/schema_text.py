"""The smallest sensible value that a JSON schema accepts: what a model answers when it is asked for one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def conforming(schema: Mapping[str, Any], root: Mapping[str, Any] | None = None) -> Any:
    """A value with every required field of `schema`, each the plainest its type allows.

    Knows what structured output uses: $ref into the schema itself, const, enum, anyOf/oneOf/allOf, objects,
    arrays, strings with lengths, numbers with bounds. `pattern` and `format` are not honoured.
    """
    root = schema if root is None else root
    schema = _resolved(schema, root)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    for key in ("anyOf", "oneOf"):
        if schema.get(key):
            return conforming(next((s for s in schema[key] if s.get("type") != "null"), schema[key][0]), root)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(kind, list):
        kind = next((k for k in kind if k != "null"), "null")
    if kind == "object":
        properties = schema.get("properties", {})
        return {name: conforming(properties.get(name, {}), root) for name in schema.get("required", [])}
    if kind == "array":
        return [conforming(schema.get("items", {}), root) for _ in range(schema.get("minItems", 0))]
    if kind == "string":
        text = "I am here.".ljust(schema.get("minLength", 0), ".")
        return text[: schema.get("maxLength", len(text))]
    if kind in ("integer", "number"):
        return _number(schema)
    return True if kind == "boolean" else None


def _number(schema: Mapping[str, Any]) -> Any:
    if "minimum" in schema:
        return schema["minimum"]
    if "exclusiveMinimum" in schema:
        return schema["exclusiveMinimum"] + 1
    return min(1, schema.get("maximum", 1))


def _resolved(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    """`schema` with its $ref followed and its allOf folded into it."""
    while "$ref" in schema:
        target: Any = root
        for step in schema["$ref"].removeprefix("#").strip("/").split("/"):
            target = target[step] if step else target
        schema = target
    for part in schema.get("allOf", []):
        part = _resolved(part, root)
        properties = {**schema.get("properties", {}), **part.get("properties", {})}
        required = [*schema.get("required", []), *part.get("required", [])]
        schema = {**part, **schema, "properties": properties, "required": required}
    return schema

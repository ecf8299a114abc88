"""Finds every action in this folder, offers them to models, and carries out what a model chose."""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from ai import actions
from ai.actions.base import Action, Hands, Occasion
from ai.errors import AliveError, MalformedCall
from ai.llm.base import Tool, ToolCall
from ai.llm.json_reply import first_object
from ai.moment import Deed


class Registry:
    """The actions there are, by name, and the hands they work with."""

    def __init__(self, hands: Hands) -> None:
        self._hands = hands
        self._actions = {action.name: action for action in _discover()}
        offered = [action for action in self._actions.values() if action.tool]
        self._tools = {action: Tool(action.name, action.summary, _parameters(action, UNPAID)) for action in offered}
        self._choices = {action: _choice(action) for action in self._actions.values() if action.small}

    @property
    def names(self) -> list[str]:
        """The names of all actions."""
        return list(self._actions)

    def tools(self, *, messages: bool = True) -> Sequence[Tool]:
        """The actions as tools, for models that call tools themselves; without `messages`, none that answers them."""
        return [tool for action, tool in self._tools.items() if messages or not action.answers]

    def schema(self, *, posts: bool = True) -> Mapping[str, Any]:
        """A JSON schema of exactly one action with its arguments, for models that need their hand led.

        Without `posts`, none that the pace would refuse.
        """
        return {"oneOf": [choice for action, choice in self._choices.items() if posts or not action.posts]}

    def menu(self, *, posts: bool = True) -> str:
        """The same choice in words, one line an action."""
        return "\n".join(f"{a.name}: {a.summary}" for a in self._choices if posts or not a.posts)

    def understand(self, text: str) -> Sequence[ToolCall]:
        """The action in a reply that was constrained by `schema`; none when it is not what it should be."""
        chosen = first_object(text)
        if chosen is None or not isinstance(name := chosen.pop("action", None), str):
            return ()
        return (ToolCall("choice", name, json.dumps(chosen)),)

    async def carry_out(self, call: ToolCall, occasion: Occasion) -> Deed:
        """Do what a model asked for. Whatever is wrong with it is told to the being, never raised."""
        try:
            action = self._parse(call)
            return Deed(call, True, await action.run(self._hands, occasion), informs=action.informs)
        except AliveError as exc:
            return Deed(call, False, str(exc), malformed=isinstance(exc, MalformedCall))

    def _parse(self, call: ToolCall) -> Action:
        kind = self._actions.get(call.name)
        if kind is None:
            raise MalformedCall(f"There is no action “{call.name}”.", hint=f"There are: {', '.join(self._actions)}.")
        try:
            return kind.model_validate(json.loads(call.arguments or "{}"))
        except (ValueError, TypeError, RecursionError) as exc:
            raise MalformedCall(f"These arguments do not fit {call.name}: {_what(exc)}.") from exc


def _discover() -> list[type[Action]]:
    modules = (importlib.import_module(f"{actions.__name__}.{m.name}") for m in pkgutil.iter_modules(actions.__path__))
    found = {
        thing
        for module in modules
        for thing in vars(module).values()
        if isinstance(thing, type) and issubclass(thing, Action) and thing is not Action
    }
    return sorted(found, key=lambda action: action.name)


UNSAID = ("title", "default", "minLength")
UNPAID = (*UNSAID, "maxLength")
"""What no prompt pays for, because it is checked here: what a model must know of it stands in the description."""


def _parameters(action: type[Action], unsaid: Sequence[str]) -> dict[str, Any]:
    schema = action.model_json_schema()
    fields = {name: _bare(field, unsaid) for name, field in schema.get("properties", {}).items()}
    required = {"required": schema["required"]} if schema.get("required") else {}
    return {"type": "object", "properties": fields, **required}


def _choice(action: type[Action]) -> dict[str, Any]:
    parameters = _parameters(action, UNSAID)  # its lengths lead the hand of a small model
    return parameters | {
        "properties": {"action": {"const": action.name}} | parameters["properties"],
        "required": ["action", *parameters.get("required", [])],
        "additionalProperties": False,
    }


def _bare(field: Mapping[str, Any], unsaid: Sequence[str]) -> dict[str, Any]:
    """A field without what every call would pay for in vain."""
    if "anyOf" in field:  # an argument that may be left out
        field = {**field, **field["anyOf"][0]}
    return {key: value for key, value in field.items() if key not in (*unsaid, "anyOf")}


def _what(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc'])) or 'they'}: {first['msg'].lower()}"
    return str(error)

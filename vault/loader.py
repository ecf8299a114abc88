"""Where secrets come from.

For each name, the first that is there and not empty wins:

1. the environment (or `.env`, which the caller has merged into it): ``OPENROUTER_API_KEY=…``
2. a file the environment names: ``OPENROUTER_API_KEY_FILE=/some/where``
3. ``/run/secrets/OPENROUTER_API_KEY`` (or in lower case), as container engines mount them
4. ``credentials.json`` in ``/run/vault`` or in this folder
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import SecretStr

SECRETS = (
    "OPENROUTER_API_KEY",
    "GEMINI_API_KEY",
    "GROQ_API_KEY",
    "OPENAI_API_KEY",
    "OLLAMA_API_KEY",
    "X_API_KEY",
    "X_API_SECRET",
    "X_ACCESS_TOKEN",
    "X_ACCESS_TOKEN_SECRET",
    "OBSERVER_TOKEN",
)
"""Every secret the program knows. A name in `credentials.json` that is not here is a mistake, and said to be one."""

CREDENTIALS = "credentials.json"
DIRECTORIES = (Path("/run/vault"), Path(__file__).parent)
MOUNTED = Path("/run/secrets")

Secrets = Mapping[str, SecretStr]


class VaultError(Exception):
    """A secret cannot be read; the sentence names the file, never its content."""


def load(environ: Mapping[str, str], directories: Sequence[Path] = DIRECTORIES, mounted: Path = MOUNTED) -> Secrets:
    """Every secret that was given, by name, masked. Absent and empty ones are not in it.

    `environ` is the environment to read, `directories` where `credentials.json` may lie, `mounted` the folder with
    one file a secret. Raises VaultError when a file that is named or lies there cannot be read or understood.
    """
    found: dict[str, str] = {}
    for directory in reversed(directories):
        found |= _credentials(directory / CREDENTIALS)
    for name in SECRETS:
        for file in (mounted / name.lower(), mounted / name):
            if _is_there(file):
                found[name] = _read(file)
        if environ.get(f"{name}_FILE"):
            found[name] = _read(Path(environ[f"{name}_FILE"]))
        if environ.get(name):
            found[name] = environ[name]
    return {name: SecretStr(value.strip()) for name, value in found.items() if value.strip()}


def _is_there(file: Path) -> bool:
    try:
        return file.is_file()
    except OSError as exc:
        why = f"{exc.strerror}. Give that user the right to enter its folder."
        raise VaultError(f"{file} cannot be reached by user {os.getuid()}: {why}") from exc


def _credentials(path: Path) -> dict[str, str]:
    try:
        if not path.exists():
            return {}
    except PermissionError:
        pass  # the folder itself is closed to us: reading says so in one sentence
    try:
        content = json.loads(_read(path))
    except json.JSONDecodeError as exc:
        raise VaultError(
            f"{path} is not valid JSON (line {exc.lineno}). Compare it with credentials.example.json."
        ) from exc
    if not isinstance(content, dict) or not all(isinstance(value, str) for value in content.values()):
        raise VaultError(f"{path} must be one object of names and strings, as in credentials.example.json.")
    unknown = [name for name in content if name not in SECRETS and not name.startswith("_")]
    if unknown:
        raise VaultError(
            f"{path} names “{unknown[0]}”, which is no secret of this program. It knows: {', '.join(SECRETS)}."
        )
    return {name: value for name, value in content.items() if name in SECRETS}


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except IsADirectoryError as exc:
        raise VaultError(f"{path} is a directory, not a file: it was mounted before it existed. Remove it.") from exc
    except (OSError, UnicodeDecodeError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8 text"
        raise VaultError(
            f"{path} cannot be read by user {os.getuid()}: {why}. Give that user the right to read it."
        ) from exc

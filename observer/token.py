"""The keeper's token for everything that writes: given by a setting, or made once by whichever program starts first."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from pydantic import SecretStr

from ai.errors import SettingsError

FILE_NAME = "observer-token"
_BYTES = 32


def observer_token(data_dir: Path, configured: SecretStr | None) -> SecretStr:
    """The token: `configured` when there is one, else the one kept in `data_dir`, made now if nobody has yet.

    Any number of programs may call this at once and all get the same token. Raises SettingsError when the file
    can be neither made nor read, or is empty.
    """
    if configured is not None:
        return configured
    path = data_dir / FILE_NAME
    try:
        if not path.exists():
            _make(path)
        text = path.read_text(encoding="utf-8").strip()
    except OSError as exc:
        raise SettingsError(
            f"The token {path} cannot be kept: {exc.strerror}.",
            hint="Set OBSERVER_TOKEN, or DATA_DIR to a folder you may write.",
        ) from exc
    if not text:
        raise SettingsError(f"The token {path} is empty.", hint="Remove the file, and a new one is made.")
    return SecretStr(text)


def _make(path: Path) -> None:
    """Write the whole token beside its place, then link it there: the link is exclusive, so the first one wins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(file, "w", encoding="utf-8") as out:
            out.write(secrets.token_urlsafe(_BYTES) + "\n")
            out.flush()
            os.fsync(out.fileno())
        os.link(draft, path)
    except FileExistsError:
        pass  # somebody was faster: theirs is the token
    finally:
        draft.unlink()

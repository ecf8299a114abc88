"""The vault: where secrets come from, in which order, and that they never leave."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr

import vault
from vault.redaction import MASK, RedactingFilter

ROOT = Path(__file__).resolve().parents[1]
NAME = "OPENROUTER_API_KEY"
NOBODY = 65534
SECRET = "tell-nobody-this"
SHAPED = [
    "sk-or-v1-" + "0123456789abcdef" * 4,
    "sk-ant-api03-abcdefghijklmnop_qrstuvwxyz",
    "gsk_abcdefghijklmnopqrstuvwxyz012345",
    "AIzaSyA-abcdefghijklmnopqrstuvwxyz01234",
    "whsec_abcdefghijklmnopqrstuvwx",
]


class Places:
    """Every place a secret may stand in, all empty."""

    def __init__(self, folder: Path) -> None:
        self.named = folder / "named"
        self.mounted = folder / "secrets"
        self.directories = [folder / "run-vault", folder / "vault"]
        for path in (self.mounted, *self.directories):
            path.mkdir()

    def credentials(self, content: object, directory: int = 1) -> Path:
        path = self.directories[directory] / "credentials.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    def load(self, environ: dict[str, str] | None = None) -> dict[str, str]:
        loaded = vault.load(environ or {}, self.directories, self.mounted)
        return {name: secret.get_secret_value() for name, secret in loaded.items()}


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path)


def test_the_first_place_that_has_a_secret_wins(places: Places) -> None:
    places.credentials({NAME: "of the folder"}, 1)
    assert places.load() == {NAME: "of the folder"}
    places.credentials({NAME: "of /run/vault"}, 0)
    assert places.load() == {NAME: "of /run/vault"}
    (places.mounted / NAME).write_text("mounted\n")
    assert places.load() == {NAME: "mounted"}
    places.named.write_text("named\n")
    assert places.load({f"{NAME}_FILE": str(places.named)}) == {NAME: "named"}
    assert places.load({f"{NAME}_FILE": str(places.named), NAME: "environment"}) == {NAME: "environment"}


def test_a_mounted_secret_may_be_named_in_lower_case(places: Places) -> None:
    (places.mounted / NAME.lower()).write_text("mounted")
    assert places.load() == {NAME: "mounted"}


def test_an_empty_secret_is_an_absent_one(places: Places) -> None:
    places.credentials({NAME: ""})
    assert places.load({NAME: ""}) == {}
    assert places.load({NAME: " \n"}) == {}
    places.credentials({NAME: "of the folder"})
    assert places.load({NAME: "", f"{NAME}_FILE": ""}) == {NAME: "of the folder"}


def test_the_example_is_a_valid_file_that_gives_nothing(places: Places) -> None:
    places.credentials((ROOT / "vault" / "credentials.example.json").read_text())
    assert places.load() == {}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{ not json", "not valid JSON (line 1)"),
        ("[]", "one object of names and strings"),
        ({NAME: 7}, "one object of names and strings"),
        ({"OPENROUTER_KEY": SECRET}, "names “OPENROUTER_KEY”"),
    ],
)
def test_a_file_that_cannot_be_understood_is_named_and_its_content_is_not(
    places: Places, content: object, told: str
) -> None:
    path = places.credentials(content)
    with pytest.raises(vault.VaultError) as failed:
        places.load()
    assert str(path) in str(failed.value)
    assert told in str(failed.value)
    assert SECRET not in str(failed.value)
    assert "\n" not in str(failed.value)


def test_a_file_that_is_named_but_not_there_is_an_error_that_names_it(places: Places) -> None:
    with pytest.raises(vault.VaultError, match=str(places.named)):
        places.load({f"{NAME}_FILE": str(places.named)})


def test_a_directory_in_place_of_a_file_is_said_to_be_one(places: Places) -> None:
    (places.directories[0] / "credentials.json").mkdir()
    with pytest.raises(vault.VaultError, match="is a directory"):
        places.load()


def test_a_file_without_the_right_to_read_it_is_named_with_who_could_not(places: Places) -> None:
    path = places.credentials({NAME: SECRET})
    path.chmod(0)
    with (
        as_nobody() as user,
        pytest.raises(vault.VaultError, match=rf"{path} cannot be read by user {user}: Permission denied"),
    ):
        places.load()


@contextmanager
def as_nobody() -> Iterator[int]:
    """Root may read everything, so that in a container somebody else has to try."""
    if os.getuid() != 0:
        yield os.getuid()
        return
    os.setresuid(NOBODY, NOBODY, 0)
    try:
        yield NOBODY
    finally:
        os.setresuid(0, 0, 0)


def test_a_file_that_is_no_text_is_named(places: Places) -> None:
    places.named.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(vault.VaultError, match=rf"{places.named}.*not UTF-8"):
        places.load({f"{NAME}_FILE": str(places.named)})


def test_a_secret_prints_as_asterisks(places: Places) -> None:
    loaded = vault.load({NAME: SECRET}, places.directories, places.mounted)
    assert SECRET not in f"{loaded} {loaded!r} {loaded[NAME]} {loaded[NAME]!r}"


@pytest.fixture
def redactor() -> vault.Redactor:
    return vault.Redactor({NAME: SecretStr(SECRET), "OTHER": SecretStr(f"{SECRET}-and-more"), "TINY": SecretStr("is")})


def test_known_secrets_are_masked_wherever_they_stand(redactor: vault.Redactor) -> None:
    assert redactor.text(f"a {SECRET} b {SECRET}-and-more c") == f"a {MASK} b {MASK} c"
    assert redactor.json({"k": [SECRET, 1, None, {SECRET: (SECRET,)}]}) == {"k": [MASK, 1, None, {MASK: [MASK]}]}


def test_a_secret_too_short_to_be_one_masks_no_words(redactor: vault.Redactor) -> None:
    assert redactor.text("this is it") == "this is it"


@pytest.mark.parametrize("key", SHAPED)
def test_what_looks_like_a_key_is_masked_whoever_it_belongs_to(key: str) -> None:
    assert vault.Redactor({}).text(f"key={key}, yes") == f"key={MASK}, yes"


def test_ordinary_words_are_left_alone() -> None:
    text = "I asked-and-asked; task-sk-short, desk-top publishing costs $4.90 at https://openrouter.ai/api/v1."
    assert vault.Redactor({}).text(text) == text


class Lines(logging.Handler):
    """Keeps formatted lines."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


def test_a_logger_behind_the_filter_tells_no_secret_in_message_arguments_or_traceback(
    redactor: vault.Redactor,
) -> None:
    handler, logger = Lines(), logging.getLogger("tests.vault")
    handler.addFilter(RedactingFilter(redactor))
    logger.addHandler(handler)
    logger.propagate = False
    try:
        logger.error("the key is %s, %d%%", SECRET, 100)
        try:
            raise ValueError(f"refused {SECRET}") from KeyError(SECRET)
        except ValueError:
            logger.exception("it failed with %r", {"key": SECRET})
    finally:
        logger.removeHandler(handler)
    assert handler.lines[0] == f"the key is {MASK}, 100%"
    assert "ValueError" in handler.lines[1]
    assert "KeyError" in handler.lines[1]
    assert SECRET not in "".join(handler.lines)


@pytest.mark.parametrize("path", ["vault/credentials.json", "vault/anything-else.key", ".env", ".env.local"])
def test_git_ignores_real_secrets(path: str) -> None:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("this is no git checkout")
    done = subprocess.run(["git", "check-ignore", "--quiet", "--no-index", path], cwd=ROOT, check=False)
    assert done.returncode == 0, f"git would commit {path}"


def test_git_keeps_the_example() -> None:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("this is no git checkout")
    path = "vault/credentials.example.json"
    assert subprocess.run(["git", "check-ignore", "-q", "--no-index", path], cwd=ROOT, check=False).returncode == 1


def test_every_module_of_the_vault_is_let_through_by_its_gitignore() -> None:
    """All else in the folder is ignored, so a module nobody named there would be missing in every clone."""
    folder = Path(vault.__file__).parent
    named = (folder / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert [module.name for module in folder.glob("*.py") if f"!{module.name}" not in named] == []

"""Everything that can go wrong, in one tree.

Foreign errors are translated once, at the adapter that meets them, with ``from exc``::

    AliveError                  one plain sentence, and what to do about it
    ├── SettingsError           a setting cannot be used as it stands
    ├── StoreError              the store cannot be used
    │   ├── StoreMissing        there is none yet
    │   ├── StoreOlder          it was written by an older version and nobody has migrated it
    │   ├── StoreNewer          it was written by a newer version
    │   └── StoreDamaged        it is no whole database
    ├── InstanceHeld            somebody else runs this being
    ├── ClockError              the clock stands before what has already happened
    ├── MoneyError              an amount that is no amount
    ├── FundsError              the account cannot cover a hold
    ├── ModelChoiceError        a model that is unknown or cannot be paid for
    ├── NobodyAlive             there is no life to think in
    ├── LifecycleError          a move that is not legal in the being's state
    ├── ActionError             an action refused; the being is told why
    │   └── MalformedCall       it was asked for in a way that makes no sense
    ├── NobodyThought           no model in the line could think
    ├── ModelFailure            one attempt at one model failed (see llm/failures.py)
    └── ChannelFailure          one call of one channel failed (see social/failures.py)
"""

from __future__ import annotations

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_HELD = 75  # EX_TEMPFAIL: not now, try again later


class AliveError(Exception):
    """One plain sentence saying what is wrong, and a hint saying what to do.

    ``exit_code`` is the status with which a command ends when this error reaches the keeper.
    """

    exit_code = EXIT_FAILED

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class SettingsError(AliveError):
    """A setting cannot be used as it stands."""

    exit_code = EXIT_USAGE


class StoreError(AliveError):
    """The store cannot be used."""


class StoreMissing(StoreError):
    """There is no store yet."""


class StoreOlder(StoreError):
    """The store was written by an older version."""


class StoreNewer(StoreError):
    """The store was written by a newer version."""


class StoreDamaged(StoreError):
    """The store is no whole database."""


class InstanceHeld(AliveError):
    """Somebody else runs this being."""

    exit_code = EXIT_HELD


class ClockError(AliveError):
    """The clock stands before what has already happened."""


class MoneyError(AliveError):
    """An amount that is no amount of money."""

    exit_code = EXIT_USAGE


class FundsError(AliveError):
    """The account cannot cover a hold; `coverable_nanos` is the largest worst case it could."""

    def __init__(self, message: str, *, hint: str = "", coverable_nanos: int = 0) -> None:
        super().__init__(message, hint=hint)
        self.coverable_nanos = coverable_nanos


class NobodyAlive(AliveError):
    """There is no life to think in."""


class ModelChoiceError(AliveError):
    """A model that is unknown or that the balance cannot pay for."""

    exit_code = EXIT_USAGE


class LifecycleError(AliveError):
    """A move that is not legal in the being's state; the sentence says in which it is."""


class ActionError(AliveError):
    """An action the being chose was refused; the sentence is told to the being."""


class MalformedCall(ActionError):
    """A tool call that names no action, or whose arguments do not fit."""


class NobodyThought(AliveError):
    """No model in the line could think."""


class ModelFailure(AliveError):
    """One attempt at one model failed."""


class ChannelFailure(AliveError):
    """One call of one channel failed."""

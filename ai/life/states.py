"""The states of a being and every legal move between them: one table, and nothing else is a move."""

from __future__ import annotations

from enum import StrEnum

from ai.errors import LifecycleError


class State(StrEnum):
    """How a being is."""

    UNBORN = "unborn"
    ALIVE = "alive"
    PAUSED = "paused"
    HIBERNATING = "hibernating"
    DEAD = "dead"


class Move(StrEnum):
    """What can happen to it."""

    BIRTH = "birth"
    PAUSE = "pause"
    RESUME = "resume"
    HIBERNATE = "hibernate"
    REVIVE = "revive"
    DEATH = "death"


MOVES = {
    (State.UNBORN, Move.BIRTH): State.ALIVE,
    (State.DEAD, Move.BIRTH): State.ALIVE,
    (State.ALIVE, Move.PAUSE): State.PAUSED,
    (State.HIBERNATING, Move.PAUSE): State.PAUSED,
    (State.PAUSED, Move.RESUME): State.ALIVE,
    (State.ALIVE, Move.HIBERNATE): State.HIBERNATING,
    (State.HIBERNATING, Move.REVIVE): State.ALIVE,
    (State.ALIVE, Move.DEATH): State.DEAD,
    (State.PAUSED, Move.DEATH): State.DEAD,
    (State.HIBERNATING, Move.DEATH): State.DEAD,
}

_REFUSALS = {
    Move.BIRTH: "{name} lives: it is {state}.",
    Move.PAUSE: "{name} cannot be paused: it is {state}.",
    Move.RESUME: "{name} is not paused: it is {state}.",
    Move.HIBERNATE: "{name} cannot hibernate: it is {state}.",
    Move.REVIVE: "{name} does not hibernate: it is {state}.",
    Move.DEATH: "{name} cannot die: it is {state}.",
}


def move(state: str, what: Move, name: str) -> State:
    """The state this move leads to. Raises LifecycleError, naming the being, when it is no legal one."""
    after = MOVES.get((State(state), what))
    if after is None:
        raise LifecycleError(_REFUSALS[what].format(name=name, state=state))
    return after

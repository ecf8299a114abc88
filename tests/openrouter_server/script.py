"""What a test tells the server to do next: queued replies, queued faults, chaos."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Unpack

from tests.openrouter_server.fault import Fault
from tests.openrouter_server.faults import FAULTS, SLOW_FAULTS
from tests.openrouter_server.replies import Reply, ReplyFields

CHAT = "/chat/completions"
Times = int | Literal["forever"]


@dataclass
class _Queued:
    """A fault (or reply) that waits for its call. `model` None means any; `times` None means for ever."""

    what: Any
    model: str | None
    times: int | None
    path: str = CHAT

    def fits(self, model: str | None, path: str = CHAT) -> bool:
        return self.path == path and self.model in (None, model)


class Script:
    """Queues of replies and faults; each is consumed in order by the calls it fits.

    reply_fn: called with the request body when no scripted reply fits; returns a Reply.
    """

    def __init__(self) -> None:
        self.reply_fn: Callable[[Mapping[str, Any]], Reply] | None = None
        self._replies: list[_Queued] = []
        self._faults: list[_Queued] = []
        self._chaos: tuple[random.Random, float, list[str]] | None = None

    def reply_with(
        self,
        text: str | None = None,
        *,
        model: str | None = None,
        times: Times = 1,
        **fields: Unpack[ReplyFields],
    ) -> None:
        """Queues a reply (the fields of Reply), for any model or only for that one, once or more often."""
        reply = Reply(text=text, **fields)
        self._replies.append(_Queued(reply, model, None if times == "forever" else times))

    def fault(self, name: str, model: str | None = None, times: Times = 1, path: str = CHAT) -> None:
        """Queues the fault of that name in FAULTS for the next calls of that model (None: any)."""
        if name not in FAULTS:
            raise KeyError(f"no fault is called {name!r}; there are {', '.join(FAULTS)}")
        self._faults.append(_Queued(name, model, None if times == "forever" else times, path))

    def mend(self, model: str | None = None) -> None:
        """Forgets the queued faults: all, or those of one model. Ends chaos too when it forgets all."""
        self._faults = [] if model is None else [fault for fault in self._faults if fault.model != model]
        if model is None:
            self._chaos = None

    def chaos(self, seed: int, rate: float, names: Collection[str] | None = None) -> None:
        """From now on each chat call fails with that probability, by a fault drawn from `names`.

        Without names: every fault but those that a client can only wait out. The same seed fails the same
        calls.
        """
        drawn = sorted(names if names is not None else FAULTS.keys() - SLOW_FAULTS)
        self._chaos = (random.Random(seed), rate, drawn)

    def take_reply(self, body: Mapping[str, Any], model: str) -> Reply:
        """The next reply for a call: scripted, computed, or the default one."""
        queued = _take(self._replies, model)
        if isinstance(queued, Reply):
            return queued
        return self.reply_fn(body) if self.reply_fn is not None else Reply()

    def take_fault(self, model: str | None, path: str = CHAT) -> tuple[str, Fault] | None:
        """The fault that strikes this call, if any, with its name."""
        name = _take(self._faults, model, path)
        if name is None and self._chaos is not None and path == CHAT:
            source, rate, names = self._chaos
            name = source.choice(names) if source.random() < rate else None
        return None if name is None else (name, FAULTS[name])


def _take(queue: list[_Queued], model: str | None, path: str = CHAT) -> Any:
    for entry in list(queue):
        if not entry.fits(model, path):
            continue
        if entry.times is not None:
            entry.times -= 1
            if entry.times <= 0:
                queue.remove(entry)
        return entry.what
    return None

"""A being with a scripted mind that thinks, dies and is born again; killed after so many commits if told so."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import Any

from ai import settings
from ai.app import open_being
from ai.store.engine import Store
from tests.lives import WREN, Soul

LIVES = 2


def killed_after(commits: int) -> None:
    """From now on, the commit of that number is the last thing this process does."""
    transact, done = Store._transact, 0

    def and_die(self: Store, engine: Any, work: Any) -> Any:
        nonlocal done
        before = self.commits
        result = transact(self, engine, work)
        done += self.commits - before
        if commits and done >= commits:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    Store._transact = and_die  # type: ignore[method-assign]  # it dies in between, as nothing else could make it


def name(request: Any) -> dict[str, object]:
    return {**WREN, "name": "Kai" if "What is left of lives before yours" in str(request.messages) else "Wren"}


async def main() -> None:
    """Live `LIVES` lives and one thought of the last; whatever was done by somebody before is not done again."""
    killed_after(int(sys.argv[1]))
    chosen, secrets = settings.load()
    async with open_being(chosen, secrets, providers={"openrouter": Soul(identity=name)}) as being:
        lifecycle = being.books.lifecycle
        await being.birth.ensure()
        while (life := await lifecycle.current()) is None or life.number < LIVES:
            if life is not None and life.state == "alive":
                await being.brain.live()
                await lifecycle.die("a test ended it")
            await being.afterlife.pass_on()
        await being.brain.live()


if __name__ == "__main__":
    asyncio.run(main())

"""A whole being without page or local model that thinks as fast as it can, until somebody kills it."""

from __future__ import annotations

import asyncio

from ai import settings
from ai.app import open_being
from ai.life.identity import default_identity


async def main() -> None:
    """Live; nothing is caught, so that whatever goes wrong is seen on stderr."""
    chosen, secrets = settings.load()
    async with open_being(chosen, secrets) as being:
        await being.catch_up()
        await being.birth.ensure(default_identity("genesis"))
        while True:
            await being.brain.live()


if __name__ == "__main__":
    asyncio.run(main())

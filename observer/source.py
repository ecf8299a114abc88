"""The store as the page sees it: opened when first needed, never written, opened again when it was replaced."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TypeVar

from ai.errors import StoreError, StoreMissing, StoreNewer, StoreOlder
from ai.store.engine import Store, Work
from ai.store.versions import FILE_NAME

T = TypeVar("T")

NOT_YET = (StoreMissing, StoreOlder, StoreNewer)
"""There is no store this version can read, and waiting may help: the page then shows a being not yet born."""

_SENTENCES: dict[type[StoreError], str] = {
    StoreMissing: "No life has begun here yet. It begins when the keeper starts it.",
    StoreOlder: "The books are of an older version. They are read as soon as the being starts and renews them.",
    StoreNewer: "The books are of a newer version than this page. The page has to be updated to read them.",
}


def sentence_of(error: StoreError) -> str:
    """What visitors are told of `error`: no file names, which are the keeper's own."""
    return _SENTENCES.get(type(error), "The books cannot be read just now. The page keeps trying.")


class Source:
    """Reads snapshots of the store in `data_dir`. `generation` rises whenever another file stands there."""

    def __init__(self, data_dir: Path) -> None:
        self.generation = 0
        self._path = data_dir / FILE_NAME
        self._store: Store | None = None
        self._file: tuple[int, int] | None = None
        self._opening = asyncio.Lock()

    async def read(self, work: Work[T]) -> T:
        """Run `work` on one consistent snapshot. Raises StoreMissing, StoreOlder, StoreNewer or StoreError."""
        store = await self._current()
        try:
            return await store.read(work)
        except StoreError:
            self._file = None  # perhaps it was migrated under us: the next read looks again
            raise

    async def close(self) -> None:
        """Close the store, if it was ever opened."""
        store, self._store, self._file = self._store, None, None
        if store is not None:
            await asyncio.to_thread(store.close)

    async def _current(self) -> Store:
        if self._store is not None and self._file is not None and self._file == self._identity():
            return self._store
        async with self._opening:
            file = self._identity()
            if self._store is None or file is None or self._file != file:
                await self.close()
                self._store = await asyncio.to_thread(Store.open, self._path.parent, readonly=True)
                self._file = file
                self.generation += 1
            return self._store

    def _identity(self) -> tuple[int, int] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino

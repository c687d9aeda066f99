"""What of one process is under way, and whether all of it has ended: what a process waits for before it stops."""

import asyncio
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class InFlight(Generic[T]):
    """A set of whatever is under way, in one event loop."""

    def __init__(self) -> None:
        self._items: set[T] = set()
        self.add = self._items.add  # `add(item)`: it has begun
        self._empty: asyncio.Event | None = None  # while somebody waits for the end

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[T]:
        """Over what is there now; it may change meanwhile."""
        return iter(list(self._items))

    def discard(self, item: T) -> None:
        """`item` has ended, if it was there."""
        self._items.discard(item)
        if self._empty is not None and not self._items:
            self._empty.set()
            self._empty = None

    async def emptied(self, timeout: float) -> bool:  # noqa: ASYNC109 -- the caller's own patience
        """Wait until there is nothing, at most `timeout` seconds; whether that was reached."""
        if not self._items:
            return True
        if self._empty is None:
            self._empty = asyncio.Event()
        try:
            async with asyncio.timeout(timeout):
                await self._empty.wait()
        except TimeoutError:
            return False
        return True

"""Words between processes, through Redis: that something changed, that a session ended, that a call is cancelled.

They hint and they invalidate; none grants anything, and none names anything that somebody could use. A word that is
lost makes something late: revisions are read every second, sessions every five.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

import redis.asyncio
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

WORDS: Final = "holdfast:gateway"
REVISED: Final = "revised"
_RECONNECT_SECONDS: Final = 1.0
_TELL_SECONDS: Final = 0.5
_LONGEST: Final = 256  # bytes of a word


class Messenger:
    """One process's ear and mouth. `heard(what, mark)` is called for each word; `revised` has no mark.

    `revisions` is the channel on which services say that a revision was counted up.
    """

    def __init__(self, url: str, heard: Callable[[str, str], None], *, revisions: str) -> None:
        self._url = url
        self._revisions = revisions
        self._heard = heard
        self._mouth: redis.asyncio.Redis | None = None

    async def tell(self, what: str, mark: str) -> None:
        """Tell every process, this one included. Never raises: what is not told is found out later."""
        try:
            async with asyncio.timeout(_TELL_SECONDS):
                if self._mouth is None:
                    self._mouth = redis.asyncio.Redis.from_url(self._url)
                await self._mouth.publish(WORDS, f"{what} {mark}")
        except (RedisError, OSError, TimeoutError) as error:
            logger.info("messenger away, others are not told: %s", type(error).__name__)

    async def close(self) -> None:
        """Close the connection that tells."""
        if self._mouth is not None:
            await self._mouth.aclose()

    async def listen_forever(self) -> None:
        """Hear every word; connect again when the messenger went away."""
        while True:
            try:
                await self._listen()
            except (RedisError, OSError) as error:
                logger.info("messenger away, looking every second: %s", type(error).__name__)
            await asyncio.sleep(_RECONNECT_SECONDS)

    async def _listen(self) -> None:
        async with redis.asyncio.Redis.from_url(self._url) as client, client.pubsub() as channel:
            await channel.subscribe(self._revisions, WORDS)
            self._heard(REVISED, "")  # whatever was said while nobody listened
            async for message in channel.listen():
                self._take(message)

    def _take(self, message: dict[str, Any]) -> None:
        if message["channel"] == self._revisions.encode():
            self._heard(REVISED, "")
            return
        data = message.get("data")
        if isinstance(data, bytes) and len(data) <= _LONGEST:
            what, _, mark = data.decode("ascii", "replace").partition(" ")
            self._heard(what, mark)

"""The installation's own alarm (`AUDIT_ALARM_URL`), for a process that has no event loop."""

import asyncio
from collections.abc import Sequence

from audit.sinks.base import Message
from core.alarm import sound_alarm


class AlarmSink:
    """Sends each once; what was not received is a line in the log."""

    name = "alarm"

    def send(self, messages: Sequence[Message]) -> None:
        """One after the other."""
        asyncio.run(self._send(messages))

    async def _send(self, messages: Sequence[Message]) -> None:
        for message in messages:
            await sound_alarm(message.kind, message.data)

"""A webhook by Standard Webhooks, through the guarded client."""

import asyncio
from collections.abc import Sequence
from hashlib import sha256
from typing import Final
from urllib.parse import urlsplit

import httpx2
from standardwebhooks.webhooks import Webhook

from audit.sinks.base import Message, Undelivered
from core.outbound import OutboundLimits, classify, outbound_client, policy_from_settings
from core.webhooks import message_headers

_LIMITS: Final = OutboundLimits(connect_seconds=5.0, head_seconds=15.0, total_seconds=20.0, body_bytes=64 * 1024)


class WebhookSink:
    """`secret` signs; ValueError for one that is none."""

    def __init__(self, url: str, secret: str) -> None:
        self._url = url
        self._webhook = Webhook(secret)
        # The address may hold a secret of the receiver's: the host says enough, and the hash tells two apart.
        self.name = f"webhook:{urlsplit(url).hostname}:{sha256(url.encode()).hexdigest()[:8]}"

    def send(self, messages: Sequence[Message]) -> None:
        """One request each, in order."""
        asyncio.run(self._send(messages))

    async def _send(self, messages: Sequence[Message]) -> None:
        async with outbound_client(policy_from_settings(), _LIMITS) as client:
            for message in messages:
                body = message.text()
                headers = {"user-agent": "Holdfast", **message_headers(self._webhook, message.id, body)}
                await self._post(client, body, headers)

    async def _post(self, client: httpx2.AsyncClient, body: str, headers: dict[str, str]) -> None:
        try:
            async with client.stream("POST", self._url, content=body.encode(), headers=headers) as response:
                if not 200 <= response.status_code < 300:
                    raise Undelivered(f"answered {response.status_code}")
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, TimeoutError) as error:
            raise Undelivered(classify(error).sentence) from error

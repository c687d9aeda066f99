"""Records in HTTP requests: OpenTelemetry's logs service, and webhooks. A request that was accepted has arrived."""

from collections.abc import Mapping, Sequence
from typing import Final

import httpx2
from standardwebhooks.webhooks import Webhook

from audit.sinks.transport import SendFailed, Written
from core.outbound import OutboundLimits, classify
from core.webhooks import message_headers

LIMITS: Final = OutboundLimits(connect_seconds=5.0, head_seconds=20.0, total_seconds=25.0, body_bytes=64 * 1024)
_LONGEST_WAIT: Final = 300.0


class _Posting:
    """Requests to one address."""

    settle: float = 0.0

    def __init__(self, client: httpx2.AsyncClient, url: str) -> None:
        self._client = client
        self._url = url

    async def check(self) -> None:
        """Nothing is on its way between two requests."""

    async def aclose(self) -> None:
        """The client is not ours."""

    async def _post(self, body: bytes, headers: Mapping[str, str]) -> bytes:
        """The answer's body. Raises `SendFailed` unless it was accepted."""
        try:
            answer = await self._client.post(self._url, content=body, headers={"user-agent": "Holdfast", **headers})
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, TimeoutError) as error:
            raise SendFailed(classify(error).sentence) from error
        if not 200 <= answer.status_code < 300:
            raise SendFailed(f"answered {answer.status_code}", wait=_wait(answer.headers.get("retry-after", "")))
        return answer.content


class OtlpTransport(_Posting):
    """A collector. `authorization`: what its header of that name says, if it asks for one."""

    def __init__(self, client: httpx2.AsyncClient, url: str, *, installation: str, authorization: str = "") -> None:
        super().__init__(client, url)
        self._installation = installation
        self._headers = {"content-type": "application/x-protobuf"}
        if authorization:
            self._headers["authorization"] = authorization

    async def send(self, batch: Sequence[Written]) -> None:
        """One request. What is rejected in part is sent again whole: nothing says which records those were."""
        from audit.formats import otlp  # protocol buffers, which a gateway has no use for

        records = [each.record for each in batch]
        body = otlp.request(records, installation=self._installation).SerializeToString()
        answer = await self._post(body, self._headers)
        try:
            rejected = otlp.rejected(answer)
        except ValueError as error:
            raise SendFailed("The answer is none of OTLP's.") from error
        if rejected:
            raise SendFailed(f"rejected {rejected} of {len(batch)} records")


class WebhookTransport(_Posting):
    """A webhook that takes lines of JSON, signed as Standard Webhooks has it."""

    def __init__(self, client: httpx2.AsyncClient, url: str, *, sink: str, secret: str) -> None:
        super().__init__(client, url)
        self._sink = sink
        self._signing = Webhook(secret)

    async def send(self, batch: Sequence[Written]) -> None:
        """One request. Its id is made of its ends, so that a repetition of the same is told by it."""
        text = b"".join(line for _, line in batch).decode()
        webhook_id = f"exp_{self._sink}_{batch[0].record.index}_{batch[-1].record.index}"
        headers = message_headers(self._signing, webhook_id, text, content_type="application/jsonl")
        await self._post(text.encode(), headers)


def _wait(text: str) -> float:
    """Seconds, where the receiver names some; a date is not waited for."""
    return min(float(text[:6]), _LONGEST_WAIT) if text.isascii() and text.isdigit() else 0.0

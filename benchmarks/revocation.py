"""How soon a decision refuses: from the API's answer to the first refused call, with the messenger and without.

An agent calls without pause over one connection. Three decisions in turn: its grant is revoked, it is suspended, its
token is revoked. Whatever is asked at once after the answer counts, so nothing is won by waiting.
"""

import json
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import httpx2

from benchmarks import catalogue
from benchmarks.product import Product
from benchmarks.report import verdict
from benchmarks.timing import quantile

_REASON: Final = {"reason": "Benchmark."}
_PATIENCE: Final = 30.0  # seconds
_BODY: Final = json.loads(catalogue.body("tools/call", "2026"))
_HEADERS: Final = catalogue.headers("tools/call", "2026")


class Unfollowed(Exception):
    """The gateway did not follow a decision within half a minute."""


class Caller:
    """One agent that calls, and what can be decided about it."""

    def __init__(self, product: Product, slug: str) -> None:
        self._product = product
        self._client = httpx2.Client(timeout=_PATIENCE)
        self._agent = product.agent(slug, "caller")
        self._grant = self._agent.grant
        self._token = product.token(self._agent)

    def close(self) -> None:
        """Hang up."""
        self._client.close()

    def decisions(self) -> Mapping[str, tuple[Callable[[], object], Callable[[], object]]]:
        """Each decision, and what takes it back."""
        agent, api = self._agent, self._product.api
        return {
            "grant revoked": (lambda: api.post(f"grants/{self._grant}/revoke/", _REASON), self._regrant),
            "agent suspended": (lambda: api.post(f"agents/{agent.client_id}/suspend/", _REASON), self._resume),
            "token revoked": (lambda: self._product.revoke_token(agent, self._token), self._renew),
        }

    def milliseconds(self, decide: Callable[[], object], undo: Callable[[], object]) -> float:
        """From the answer of `decide` to the first refusal. Raises `Unfollowed`."""
        self._until(served=True)
        decide()
        took = self._until(served=False)
        undo()
        return took

    def _until(self, *, served: bool) -> float:
        began = time.perf_counter()
        while self._is_served() is not served:
            if time.perf_counter() - began > _PATIENCE:
                raise Unfollowed(f"after {_PATIENCE:.0f} s calls are still {'refused' if served else 'served'}")
        return (time.perf_counter() - began) * 1000

    def _is_served(self) -> bool:
        headers = {**_HEADERS, "authorization": f"Bearer {self._token}"}
        answer = self._client.post(self._product.endpoint(self._agent.slug), json=_BODY, headers=headers)
        found: dict[str, Any] = answer.json()
        return answer.status_code == 200 and "result" in found

    def _regrant(self) -> None:
        self._grant = self._product.grant(self._agent.slug, self._agent.client_id)

    def _resume(self) -> None:
        self._product.api.post(f"agents/{self._agent.client_id}/resume/", _REASON)
        self._renew()

    def _renew(self) -> None:
        self._token = self._product.token(self._agent)


def measure(product: Product, slug: str, count: int) -> dict[str, list[float]]:
    """Milliseconds by decision and messenger. Ends Valkey. Raises `Unfollowed`."""
    found: dict[str, list[float]] = {}
    caller = Caller(product, slug)
    for messenger in ("with Valkey", "without Valkey"):
        if messenger == "without Valkey":
            os.kill(product.valkey_pid, signal.SIGKILL)
        for _ in range(count):
            for name, (decide, undo) in caller.decisions().items():
                found.setdefault(f"{name}, {messenger}", []).append(caller.milliseconds(decide, undo))
    caller.close()
    return found


def table(found: Mapping[str, Sequence[float]]) -> str:
    """What was found."""
    lines = [f"{'from the answer to the first refused call':<44}{'times':>6}{'p50 ms':>9}{'p99 ms':>9}{'max ms':>9}"]
    for name, took in found.items():
        ordered = sorted(took)
        p50, p99 = quantile(ordered, 0.5), quantile(ordered, 0.99)
        lines.append(f"{name:<44}{len(took):>6}{p50:>9.1f}{p99:>9.1f}{ordered[-1]:>9.1f}")
    return "\n".join(lines)


def verdicts(found: Mapping[str, Sequence[float]]) -> list[str]:
    """The issue's figures with their targets, in seconds."""
    return [
        verdict(f"s p99, {name}", quantile(sorted(took), 0.99) / 1000, 1 if "with Valkey" in name else 5)
        for name, took in found.items()
    ]

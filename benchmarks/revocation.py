"""How soon a decision refuses: from the API's answer to the first refused call, with the messenger and without.

An agent calls without pause over one connection. The decisions in turn: its grant is revoked, it is suspended, its
token is revoked; and the kill switch is set for its server, the tool, itself, everything, and for the person for whom
another agent calls, and that person's team. A second administrator lifts it each time. Whatever is asked at once after
the answer counts, so nothing is won by waiting.
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
from tests.story.product import Api

_REASON: Final = {"reason": "Benchmark."}
_PERSON: Final = "caller"
_TEAM: Final = "callers"
_PATIENCE: Final = 30.0  # seconds
_BODY: Final = json.loads(catalogue.body("tools/call", "2026"))
_HEADERS: Final = catalogue.headers("tools/call", "2026")


class Unfollowed(Exception):
    """The gateway did not follow a decision within half a minute."""


class Caller:
    """One agent that calls, and what can be decided about it."""

    def __init__(self, product: Product, slug: str, second: Api, *, person: str = "") -> None:
        self._product = product
        self._second = second
        self._person = person
        self._client = httpx2.Client(timeout=_PATIENCE)
        self._agent = product.agent(slug, f"caller for {person}" if person else "caller")
        self._grant = self._agent.grant
        self._renew()

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
            "kill switch, server": self._switch("server", agent.slug),
            "kill switch, definition": self._switch("definition", f"tool:{agent.slug}/{_BODY['params']['name']}"),
            "kill switch, agent": self._switch("agent", agent.client_id),
            "kill switch, everything": self._switch("everything", ""),
        }

    def decisions_about_the_person(self) -> Mapping[str, tuple[Callable[[], object], Callable[[], object]]]:
        """The same for those that are about whom the agent acts for."""
        return {
            "kill switch, person": self._switch("person", self._person),
            "kill switch, team": self._switch("team", _TEAM),
        }

    def _switch(self, kind: str, name: str) -> tuple[Callable[[], object], Callable[[], object]]:
        def lift() -> None:
            (live,) = self._second.get("suspensions/", live="true")["results"]
            self._second.post(f"suspensions/{live['id']}/lift/", _REASON)
            if self._person:
                self._renew()  # nothing else would, and tokens end

        return lambda: self._product.api.post("suspensions/", {"kind": kind, "name": name, **_REASON}), lift

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
        if self._person:
            self._product.act_for(self._person, self._token)


def measure(product: Product, slug: str, count: int) -> dict[str, list[float]]:
    """Milliseconds by decision and messenger. Ends Valkey. Raises `Unfollowed`."""
    found: dict[str, list[float]] = {}
    second = product.second_administrator()
    product.person(_PERSON, slug, _TEAM)
    caller, for_person = Caller(product, slug, second), Caller(product, slug, second, person=_PERSON)
    decisions = [(caller, each) for each in caller.decisions().items()]
    decisions += [(for_person, each) for each in for_person.decisions_about_the_person().items()]
    for messenger in ("with Valkey", "without Valkey"):
        if messenger == "without Valkey":
            os.kill(product.valkey_pid, signal.SIGKILL)
        for _ in range(count):
            for who, (name, (decide, undo)) in decisions:
                found.setdefault(f"{name}, {messenger}", []).append(who.milliseconds(decide, undo))
    for who in (caller, for_person):
        who.close()
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

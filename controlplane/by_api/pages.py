"""Which requests do what a page of the console shows and offers. What is empty in one is for the reader to fill in.

A request whose reason is empty is refused: nothing is decided by a line that was pasted as it stands.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.utils import timezone
from django.utils.translation import gettext as _

from audit.filters import FILTERS
from controlplane.by_api.calls import Call
from tools.inbox import OPEN, SNOOZED, WAITING
from tools.inbox_forms import InboxFilterForm

_WHY: Final = {"reason": ""}
_UNUSED: Final = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Shown:
    """A page that somebody looks at: its query, what its path is about, and what its template was given."""

    query: Mapping[str, str]
    of: Mapping[str, Any]
    context: Any

    def given(self, name: str) -> Any:
        """What the template was given under a name; None where it was not, as on a page that refuses."""
        return self.context.get(name)


def _inbox(shown: Shown) -> Iterator[Call]:
    wanted = InboxFilterForm({"state": WAITING, **shown.query}).wanted
    state = wanted.pop("state", WAITING)
    states = {
        WAITING: {"state": WAITING, "snoozed": "false"},
        SNOOZED: {"state": WAITING, "snoozed": "true"},
        OPEN: {"state": WAITING},
    }
    query = {name: "true" if value is True else str(value) for name, value in wanted.items()}
    yield Call(_("This list"), "GET", "review-list", query={**states.get(state, {"state": state}), **query})
    one = {"decision": "approve", **_WHY, "reviews": [{"id": "", "digest": ""}]}
    yield Call(_("Decide several"), "POST", "review-decide", body=one)


def _review(shown: Shown) -> Iterator[Call]:
    review = shown.given("review")
    if review is None:
        return
    of = {"id": review.public_id}
    yield Call(_("This review"), "GET", "review-detail", of)
    if review.state != WAITING:
        return
    exactly = {"digest": review.version.digest, **_WHY}
    yield Call(_("Approve"), "POST", "review-approve", of, body=exactly)
    yield Call(_("Reject"), "POST", "review-reject", of, body=exactly)
    yield Call(_("Keep it in quarantine until it changes"), "POST", "review-snooze", of, body={"until": None})
    yield Call(_("Say something about it"), "POST", "review-comments", of, body={"text": ""})
    yield Call(_("Break the glass"), "POST", "review-break-glass", of, body={**exactly, "until": ""})


def _catalogue(shown: Shown) -> Iterator[Call]:
    query = _taken(shown, "server", "tag", "kind", "state", "effect")
    if shown.query.get("served"):
        query["served"] = "true"
    if shown.query.get("unused"):
        query["unused_since"] = (timezone.now() - _UNUSED).strftime("%Y-%m-%dT00:00:00Z")
    yield Call(_("This list"), "GET", "definition-list", query=query, without=_untold(shown, "q"))


def _definition(shown: Shown) -> Iterator[Call]:
    of = {"id": shown.of["definition_id"]}
    yield Call(_("This definition"), "GET", "definition-detail", of)
    yield Call(_("Its versions"), "GET", "definition-versions", of)
    row = shown.given("definition")
    if row is not None and row.pin_digest:
        approved = {"digest": row.pin_digest, **_WHY}
        yield Call(_("Withdraw the approval"), "POST", "definition-withdraw", of, body=approved)


def _servers(shown: Shown) -> Iterator[Call]:
    query = _taken(shown, "state", "environment", "tag")
    yield Call(_("This list"), "GET", "server-list", query=query, without=_untold(shown, "q"))
    yield from _registering(shown)


def _registering(_shown: Shown) -> Iterator[Call]:
    new = {"slug": "", "name": "", "url": "", "environment": "development"}
    yield Call(_("Register a server"), "POST", "server-list", body=new)


def _server(shown: Shown) -> Iterator[Call]:
    of = {"slug": shown.of["slug"]}
    query = {"server": shown.of["slug"], **_taken(shown, "kind", "state")}
    yield Call(_("This server"), "GET", "server-detail", of)
    yield Call(_("What it shows"), "GET", "definition-list", query=query, without=_untold(shown, "q"))
    yield Call(_("Look at it now"), "POST", "server-poll", of, {"wait": "true"})
    yield Call(_("Suspend it"), "POST", "server-suspend", of, body=_WHY)


def _agents(_shown: Shown) -> Iterator[Call]:
    yield Call(_("This list"), "GET", "agent-list")
    yield Call(_("Register an agent"), "POST", "agent-list", body={"name": ""})


def _agent(shown: Shown) -> Iterator[Call]:
    agent = shown.given("agent")
    if agent is None:
        return
    of = {"client_id": agent.client_id}
    yield Call(_("This agent"), "GET", "agent-detail", of)
    yield Call(_("What it holds"), "GET", "grant-list", query={"agent": agent.client_id, "live": "true"})
    yield _granting(agent.client_id)
    yield Call(_("Suspend it"), "POST", "agent-suspend", of, body=_WHY)


def _granting(agent: str = "") -> Call:
    return Call(_("Give a grant"), "POST", "grant-list", body={"role": "", "agent": agent, **_WHY})


def _roles(_shown: Shown) -> Iterator[Call]:
    yield Call(_("The roles"), "GET", "role-list")
    yield Call(_("The grants in force"), "GET", "grant-list", query={"live": "true"})
    yield from _new_role(_shown)
    yield _granting()


def _new_role(_shown: Shown) -> Iterator[Call]:
    yield Call(_("Create a role"), "POST", "role-list", body={"name": "", "scopes": [""]})


def _grant(_shown: Shown) -> Iterator[Call]:
    yield _granting()


def _alerts(shown: Shown) -> Iterator[Call]:
    query = _taken(shown, "state", "kind", "server")
    without = () if query.get("state", "live") != "live" else (_("not resolved"),)
    query = {name: value for name, value in query.items() if value != "live"}
    yield Call(_("This list"), "GET", "alert-list", query=query, without=without)


def _records(shown: Shown) -> Iterator[Call]:
    yield Call(_("This list"), "GET", "record-list", query=_taken(shown, *FILTERS))


def _suspensions(_shown: Shown) -> Iterator[Call]:
    yield Call(_("This list"), "GET", "suspension-list")
    stop = {"kind": "agent", "name": "", **_WHY}
    yield Call(_("Suspend something"), "POST", "suspension-list", body=stop)


def _suppressions(shown: Shown) -> Iterator[Call]:
    yield Call(_("This list"), "GET", "suppression-list", query=_taken(shown, "server"))


def _only(route: str, *names: str) -> Callable[[Shown], Iterator[Call]]:
    """A page that shows one list, which the API narrows by the same `names`."""

    def calls(shown: Shown) -> Iterator[Call]:
        yield Call(_("This list"), "GET", route, query=_taken(shown, *names))

    return calls


def _taken(shown: Shown, *names: str) -> dict[str, str]:
    """Filters that the API calls the same."""
    return {name: shown.query[name] for name in names if shown.query.get(name)}


def _inspecting(_shown: Shown) -> Iterator[Call]:
    yield Call(_("Look into a token"), "POST", "token-inspect", body={"token": ""})


def _untold(shown: Shown, *names: str) -> tuple[str, ...]:
    """Filters that the API does not have."""
    return tuple(name for name in names if shown.query.get(name))


# By the name of the page's route.
PAGES: Final[Mapping[str, Callable[[Shown], Iterator[Call]]]] = {
    "access:agent": _agent,
    "access:agents": _agents,
    "access:create_role": _new_role,
    "access:give_grant": _grant,
    "access:inspect_token": _inspecting,
    "access:people": _only("person-list"),
    "access:roles": _roles,
    "access:teams": _only("team-list"),
    "access:tokens": _only("token-list"),
    "alerts:channels": _only("channel-list"),
    "alerts:list": _alerts,
    "audit:records": _records,
    "flows:overview": _only("flows"),
    "matrix:matrix": _only("access-matrix", "server"),
    "onboarding:start": _registering,
    "servers:list": _servers,
    "servers:register": _registering,
    "tools:catalogue": _catalogue,
    "tools:definition": _definition,
    "tools:inbox": _inbox,
    "tools:policies": _only("policy-list"),
    "tools:review": _review,
    "tools:right_sizing": _only("right-sizing"),
    "tools:server_detail": _server,
    "tools:suppressions": _suppressions,
    "tools:suspensions": _suspensions,
}

"""An installation whose every name, reason and text is hostile, as far as the services take it; and what they refuse."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

from django.db import transaction
from django.utils import timezone

from access.models import Person
from access.services import (
    Holder,
    actor_for,
    create_person,
    create_role,
    create_team,
    give_grant,
    register_agent,
    separate_roles,
)
from alerts.services import create_channel, follow_records
from audit.drafts import RecordDraft
from audit.events import Event, RecordType
from audit.filters import Filters
from audit.models import Record
from audit.services import create_sink, place_records, save_search
from core.actor import Actor
from core.errors import DomainError
from servers.surface import Item, Kind
from tests.audit import placing
from tests.console import world
from tests.controlplane.two_of_everything import MINE, Installation
from tests.tools.making import card, poll, tool
from tests.tools.records import draft, write
from tools.classify import ChangeClass
from tools.models import Definition, Review
from tools.policies import Rule
from tools.rules import NAME_MAX_BYTES
from tools.services import Target, decide_review, suppress, suspend, write_policy

LONG = 65_536  # characters
# Whatever runs sets window.hacked or asks another host; whatever becomes an element is one that no template has there.
CORPUS = tuple(
    dict.fromkeys(
        (
            *world.HOSTILE,
            *placing.HOSTILE,
            "</title></textarea></script><script>window.hacked=1</script>",
            "<svg onload=window.hacked=1><iframe src=//evil.example></iframe>",
            "<base href=//evil.example/><meta http-equiv=refresh content='0;url=//evil.example'>",
            "<link rel=stylesheet href=//evil.example/x.css><style>*{display:none}</style><!--",
            "<b hx-get=//evil.example hx-trigger=load hx-on:load=window.hacked=1>bold</b>",
            "{{constructor.constructor('window.hacked=1')()}} ${window.hacked=1} <%= 1 %>",
            "![x](https://evil.example/p.png) [y](javascript:window.hacked=1) data:text/html,<script>",
            "\x1b]8;;https://evil.example\x07link\x1b]8;;\x07 \x1b]0;title\x07 \x1b[2J",
            "\u202e\u2066\u2067\u2068\u2069 \u200e\u200f \u00ad\u2060\u180e",
            "\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f \u2764\ufe0f",
            "subject\r\nBcc: all@evil.example\r\n\r\n<!channel> <https://evil.example|click>",
            "Z\u0351\u036b" * 60,
            "W" * LONG,
            "<i>\u200b" * (LONG // 4),
        )
    )
)


@dataclass
class Hostile:
    """What was taken, by the kind of thing; and what was refused, with the sentence."""

    actor: Actor
    taken: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    refused: dict[str, list[tuple[str, str]]] = field(default_factory=lambda: defaultdict(list))
    addresses: list[str] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)  # what leaves the log, by format

    def give(self, kind: str, text: str, make: Callable[[], object]) -> None:
        """Make it, or keep the sentence that refuses it. Any other error is one."""
        mark = transaction.savepoint()
        try:
            make()
        except DomainError as refusal:
            transaction.savepoint_rollback(mark)
            self.refused[kind].append((text, str(refusal)))
        else:
            self.taken[kind] += 1


def fill(world: Installation) -> Hostile:
    """Put the corpus wherever somebody else's text goes."""
    made = Hostile(actor_for(Person.objects.get(username="founder")))
    for number, text in enumerate(CORPUS):
        _people_and_agents(made, world, number, text)
        _decisions(made, world, number, text)
        _doors(made, number, text)
    _definitions(made, world)
    _records()
    place_records()
    follow_records()
    denied = Record.objects.filter(event="call.denied").values_list("id", flat=True)
    made.addresses += [f"/audit/{record}/" for record in denied]
    return made


def _people_and_agents(made: Hostile, world: Installation, number: int, text: str) -> None:
    by: dict[str, Any] = {"actor": made.actor}
    made.give("user name", text, lambda: create_person(username=text, password="correct horse battery", **by))
    made.give("team name", text, lambda: create_team(slug=f"t{number}", name=text, **by))
    made.give("role name", text, lambda: create_role(name=text, scopes=["mcp:connect"], **by))
    made.give(
        "role description",
        text,
        lambda: create_role(name=f"r{number}", scopes=["mcp:connect"], description=text, **by),
    )
    made.give("agent name", text, lambda: register_agent(name=text, owner_team=MINE, **by))
    agent = Holder(agent=world.sides[MINE].agent.client_id)
    made.give("reason of a grant", text, lambda: give_grant(role=f"r{number}", holder=agent, reason=text, **by))
    made.give(
        "reason to keep roles apart",
        text,
        lambda: separate_roles(roles=(f"r{number}", "spare"), reason=text, **by),
    )


def _decisions(made: Hostile, world: Installation, number: int, text: str) -> None:
    by: dict[str, Any] = {"actor": made.actor}
    slug = world.sides[MINE].server.slug
    rule = Rule(frozenset({ChangeClass.WORDING}), frozenset({"development"}), frozenset(), frozenset(), 20)
    made.give("policy name", text, lambda: write_policy(name=text, rule=rule, why="A test.", **by))
    made.give("why of a policy", text, lambda: write_policy(name=f"p{number}", rule=rule, why=text, **by))
    until = timezone.now() + timedelta(days=1)
    target = Target(rule=f"HF-{102 + number}")
    made.give(
        "reason of a suppression",
        text,
        lambda: suppress(server=slug, target=target, reason=text, until=until, **by),
    )
    made.give("what is suspended", text, lambda: suspend(kind="agent", name=text, reason="A test.", **by))
    made.give("reason of a suspension", text, lambda: suspend(kind="agent", name=f"a{number}", reason=text, **by))


def _doors(made: Hostile, number: int, text: str) -> None:
    from servers.services import Registration, edit_server, register_server

    by: dict[str, Any] = {"actor": made.actor}
    url = f"http://127.0.0.1:9/h{number}"
    made.give(
        "server name",
        text,
        lambda: register_server(
            registration=Registration(slug=f"h{number}", name=text, url=url, environment="development"), **by
        ),
    )
    made.give("tag", text, lambda: edit_server(slug=f"server-{MINE}", changes={"tags": [text]}, **by))
    made.give("channel name", text, lambda: create_channel(name=text, url=url, **by))
    made.give(
        "sink name",
        text,
        lambda: create_sink(name=text, kind="otlp", format="otlp", endpoint="http://127.0.0.1:9/v1/logs", **by),
    )
    made.give(
        "search name", text, lambda: save_search(name=text, filters=Filters(decision="denied"), shared=True, **by)
    )


def _definitions(made: Hostile, world: Installation) -> None:
    """Two looks of the server: what was new first is changed then, and decided with a hostile reason."""
    server = world.sides[MINE].server
    made.refused["definition name"].append(("nul\0inside", poll(server, tool("nul\0inside")).error or ""))
    named = [text for text in CORPUS if "\0" not in text and len(text.encode()) <= NAME_MAX_BYTES]
    long = [_tool(f"long{number}", text) for number, text in enumerate(CORPUS) if text not in named]
    rest = [
        tool("read", "Read it."),
        tool("lit"),
        tool("bad"),
        Item(Kind.PROMPT, "ask", {"name": "ask", "title": named[0], "description": "\n".join(named)}),
        Item(
            Kind.RESOURCE, "javascript:hacked", {"uri": "javascript:hacked", "name": named[1], "description": named[2]}
        ),
        card(instructions="\n".join(named), serverInfo={"name": named[0], "version": named[1]}),
    ]
    assert poll(server, *rest, *long, *(_tool(text, text) for text in named)).complete
    waiting = Review.objects.waiting().filter(definition__server=server, definition__name__in=named)
    for review, reason in zip(waiting.select_related("version"), [*reversed(CORPUS)] * 2, strict=False):
        asked: dict[str, Any] = {"review_id": review.public_id, "digest": review.version.digest, "actor": made.actor}
        made.give("reason of a decision", reason, partial(decide_review, verdict="approve", reason=reason, **asked))
    rest[0] = tool("read", "\n".join(named))
    assert poll(server, *rest, *long, *(_tool(text, text[::-1] + "!") for text in named)).complete
    reviews = Review.objects.waiting().filter(definition__server=server)
    made.addresses += [f"/reviews/{review.public_id}/" for review in reviews]
    made.addresses += [f"/definitions/{each.public_id}/" for each in Definition.objects.filter(server=server)]


def _tool(name: str, text: str) -> Item:
    schema = {"type": "object", "properties": {text[:200]: {"type": "string", "description": text, "enum": [text]}}}
    return tool(name, text, title=text[:1000], inputSchema=schema, annotations={"title": text[:1000]})


def _records() -> None:
    """Calls and drift whose every part somebody else wrote."""
    for text in (text.replace("\0", "") for text in CORPUS):
        parts = dict.fromkeys(("tool", "agent", "reason", "intention", "error_class", "status"), text[:5000])
        says = {
            "type": RecordType.DENY, "event": Event.CALL_DENIED, "decision": "denied", "server": f"server-{MINE}",
            "principal": f"agent:{text[:100]}", "before": {text[:100]: text[:2000]}, "after": {text[:100]: [text[:2000]]},
        }  # fmt: skip
        drifted = {
            "type": RecordType.CONFIG, "event": Event.TOOL_DRIFTED, "server": f"server-{MINE}",
            "subject": f"tool:server-{MINE}/{text[:400]}", "tool": text[:400], "reason": text[:2000],
            "principal": "system:poller",
        }  # fmt: skip
        write([RecordDraft(**draft({**parts, **says})), RecordDraft(**draft(drifted))])

"""A small installation for the console's tests, made through the services; and how its pages are read."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from access.models import Agent, Grant, Person, Role
from access.services import Holder, actor_for, create_role, ensure_builtin_roles, give_grant, register_agent
from alerts.services import create_channel, follow_records
from audit.services import place_records
from core.actor import Actor, system_actor
from servers.models import Server
from servers.services import Registration, register_server
from servers.surface import Item, Kind, Surface
from tests.factories import GrantFactory, PersonFactory
from tools.models import Review
from tools.services import absorb, decide_review

POLLER = system_actor("poller")
# What a hostile server may call a tool: markup, script, direction, unseen and look-alike characters, 64 KB.
HOSTILE = (
    "<script>window.hacked=1</script>",
    '"><img src=x onerror=window.hacked=1>',
    "{{ 7|add:7 }}{% csrf_token %}",
    "javascript:window.hacked=1",
    "abc\u202egnp.exe",
    "zero\u200bwidth\ufeff",
    "\u001b[31mred\u001b[0m",
    "p\u0430ypal",
    "\U000e0041\U000e0042",
    "' onmouseover='window.hacked=1",
)


def tool(name: str, description: str = "Reads a file.", **fields: Any) -> Item:
    """A tool as a server lists it."""
    schema = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
    return Item(Kind.TOOL, name, {"name": name, "description": description, "inputSchema": schema, **fields})


def surface(items: Iterable[Item]) -> Surface:
    """A complete look of the poller."""
    return Surface(items=tuple(items), vantage="poller", complete=True, protocol_version="2026-07-28", era="modern")


@dataclass
class World:
    """An administrator, a server with `tools` waiting, an agent with a role."""

    admin: Person
    tools: list[Item] = field(default_factory=lambda: [tool("read"), tool("write", "Writes a file.")])

    @property
    def actor(self) -> Actor:
        return actor_for(self.admin)

    def build(self) -> "World":
        self.register("files")
        self.show(self.tools)
        create_role(name="files-reader", scopes=["mcp:files:read", "mcp:files:call"], actor=self.actor)
        agent = register_agent(name="ci-bot", actor=self.actor).agent
        give_grant(role="files-reader", holder=Holder(agent=agent.client_id), actor=self.actor, reason="Builds.")
        create_channel(name="on-call", url="http://127.0.0.1:9/hook", actor=self.actor)
        self.settle()
        return self

    def register(self, slug: str, **values: Any) -> Server:
        values = {"name": slug.title(), "url": f"http://127.0.0.1:9/{slug}", "environment": "development", **values}
        return register_server(registration=Registration(slug=slug, **values), actor=self.actor)

    def show(self, items: Iterable[Item], slug: str = "files") -> None:
        """The server shows `items` at the next poll."""
        absorb(server=Server.objects.get(slug=slug), surface=surface(items), actor=POLLER)

    def settle(self) -> None:
        """Let placement and alerts catch up."""
        place_records()
        follow_records()

    def waiting(self, name: str = "read", slug: str = "files") -> Review:
        return Review.objects.waiting().get(definition__server__slug=slug, definition__name=name)

    def approve(self, name: str = "read", slug: str = "files") -> Review:
        found = self.waiting(name, slug)
        return decide_review(
            review_id=found.public_id, verdict="approve", digest=found.version.digest, reason="Read.", actor=self.actor
        )

    def urls(self) -> list[str]:
        """Every page that only reads, in this world."""
        agent, review = Agent.objects.latest("pk"), Review.objects.order_by("pk").first()
        assert review is not None
        return [
            "/",
            "/?state=approved",
            "/?state=open&why=new&assignee=nobody",
            f"/reviews/{review.public_id}/",
            f"/reviews/{review.public_id}/reach/",
            "/definitions/",
            "/definitions/?effect=may_write&served=on",
            f"/definitions/{review.definition.public_id}/",
            "/servers/",
            "/servers/register/",
            "/servers/onboard/",
            "/servers/onboard/files/",
            "/servers/onboard/files/?step=connect",
            "/servers/files/",
            "/servers/files/connect/",
            "/servers/files/edit/",
            "/agents/",
            "/agents/register/",
            f"/agents/{agent.public_id}/",
            "/roles/",
            "/roles/create/",
            "/right-sizing/",
            "/grants/give/",
            "/people/",
            "/people/create/",
            "/calls/",
            "/find/?q=re",
            "/audit/",
            "/audit/months/",
            "/audit/sinks/",
            "/audit/sinks/add/",
            "/policies/",
            "/policies/write/",
            "/alerts/",
            "/alerts/channels/",
            "/alerts/channels/add/",
            "/suppressions/",
            "/suspensions/",
            "/preferences/",
            "/account/security/",
            "/account/security/app/",
            "/account/security/passkeys/add/",
            f"/people/{self.admin.public_id}/sign-in/",
        ]

    def grant(self) -> Grant:
        return Grant.objects.filter(agent__isnull=False).latest("pk")


def administrator(**attributes: Any) -> Person:
    """A person who holds the built-in role of administrators."""
    ensure_builtin_roles()
    person = PersonFactory.create(**attributes)
    GrantFactory.create(role=Role.objects.get(name="administrator"), person=person)
    return person


class Page(HTMLParser):
    """What a test asks of a page: its tags, its text, and what the content policy would refuse."""

    def __init__(self, html: str):
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.inline: list[str] = []
        self.parts: list[str] = []
        self._script = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.tags.append((tag, values))
        self._script = tag == "script"
        bad = [name for name in values if name == "style" or name.startswith(("on", "hx-on"))]
        is_inline = tag == "style" or (tag == "script" and "src" not in values)
        self.inline += [f"{tag} {name}" for name in bad] + ([tag] if is_inline else [])

    def handle_data(self, data: str) -> None:
        self.parts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.parts).split())

    def named(self, tag: str) -> list[dict[str, str]]:
        return [values for name, values in self.tags if name == tag]

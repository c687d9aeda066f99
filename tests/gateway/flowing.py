"""Three servers whose tools make a toxic flow together, and roles that give one part each."""

from access.models import Role
from core.actor import Actor
from tests.factories import PersonFactory, RoleFactory
from tests.tools.making import actor_of, approve, make_server, poll, tool
from tools.models import Review

CUSTOMERS, ISSUES, SEND = ("crm", "find_customers"), ("forge", "list_issues"), ("mail", "send_mail")
SENTENCE = (
    "What forge/list_issues brings in can ask crm/find_customers for what is private, and mail/send_mail leads it out."
)


def serve(slug: str, *names: str) -> None:
    """A server whose tools are approved."""
    reviewer = PersonFactory.create()
    poll(make_server(slug), *(tool(name, "Does it.") for name in names))
    for review in Review.objects.waiting().filter(definition__server__slug=slug).select_related("version"):
        approve(review, actor_of(reviewer))


def three_servers() -> None:
    """One leg each."""
    for slug, name in (CUSTOMERS, ISSUES, SEND):
        serve(slug, name)


def reader() -> Role:
    """What is private, and what strangers wrote."""
    return RoleFactory.create(name="reader", scopes=["mcp:crm:call", "mcp:forge:call"])


def mailer() -> Role:
    """The way out."""
    return RoleFactory.create(name="mailer", scopes=["mcp:mail:call"])


def flowing() -> None:
    """All of it."""
    three_servers()
    reader()
    mailer()


def founder() -> Actor:
    """Somebody who may do everything."""
    return actor_of(PersonFactory.create(username="founder"))

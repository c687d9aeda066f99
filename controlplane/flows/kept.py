"""The tools that add something to a flow, kept by server while its revision says that what it offers did not change.

Who asks what everybody reaches asks about all tools of all servers, and of those hardly any changed since the last
question. Inside a transaction nothing is kept: what it has changed may yet be taken back.
"""

from itertools import count
from typing import Final
from uuid import UUID

from django.db import connection

from access.models import Revision
from access.services import server_part
from gateway.facts import read_tools
from gateway.flows import Carrying, Remembered, Tools, carrying, may_carry
from servers.models import Server
from tools.models import Definition
from tools.querysets import DefinitionQuerySet

Mark = tuple[UUID, int]  # a server, and its revision

remembered: Final = Remembered()  # what was found of the tools that are kept here
_kept: Final[dict[str, tuple[Mark, int, tuple[Carrying, ...]]]] = {}
_readings: Final = count()


def tools_among(definitions: DefinitionQuerySet) -> Tools:
    """Those of the servers that have any of `definitions`."""
    revisions = dict(Revision.objects.values_list("part", "n"))  # first: what is read afterwards is as new at least
    near = Server.objects.filter(pk__in=definitions.order_by().values("server_id")).order_by()
    marks = {slug: (key, revisions.get(server_part(slug), 0)) for slug, key in near.values_list("slug", "public_id")}
    known = {} if connection.in_atomic_block else _kept
    changed = [slug for slug, mark in marks.items() if slug not in known or known[slug][0] != mark]
    read = carrying(read_tools(Definition.objects.filter(server__slug__in=changed), only=may_carry)) if changed else {}
    known.update({slug: (marks[slug], next(_readings), tuple(read.get(slug, ()))) for slug in changed})
    return Tools({slug: known[slug][2] for slug in marks}, {slug: known[slug][1] for slug in marks})

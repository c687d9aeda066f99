"""What a new grant completes, told to `access`, which knows no tools (`access.completing`)."""

from typing import TYPE_CHECKING

from django.utils import timezone

from access.completing import Completed
from core.scopes import scope_server
from gateway.facts import read_access_beside, read_tools_at
from gateway.flows import Tools, carrying, completed

if TYPE_CHECKING:
    from access.models import Grant


def completed_by(grant: "Grant") -> Completed | None:
    """The flow that `grant` completes for whom it reaches. A role without MCP scopes is asked about no further."""
    if not any(map(scope_server, grant.role.scopes)):
        return None
    access = read_access_beside(grant)
    tools = Tools(carrying(read_tools_at(access)))
    found = completed(f"grant:{grant.public_id}", access, tools, timezone.now())
    if found is None:
        return None
    path = found.path
    return Completed(path.untrusted.canonical, path.private.canonical, path.out.canonical, found.principals)

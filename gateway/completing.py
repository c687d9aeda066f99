"""What a new grant or a wider role completes, told to `access`, which knows no tools (`access.completing`)."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from django.utils import timezone

from access.completing import Completed
from core.scopes import scope_server
from gateway.facts import read_access_around, read_access_beside, read_tools_at
from gateway.flows import Completion, Tools, carrying, completed, completed_between
from gateway.reach import with_scopes

if TYPE_CHECKING:
    from access.models import Grant, Role


def completed_by(grant: "Grant") -> Completed | None:
    """The flow that `grant` completes for whom it reaches. A role without MCP scopes is asked about no further."""
    if not any(map(scope_server, grant.role.scopes)):
        return None
    access = read_access_beside(grant)
    tools = Tools(carrying(read_tools_at(access)))
    return _told(completed(f"grant:{grant.public_id}", access, tools, timezone.now()))


def completed_by_change(role: "Role", before: Collection[str]) -> Completed | None:
    """The flow that `role` completes for its holders since its scopes are no longer `before`."""
    if not any(map(scope_server, set(role.scopes) - set(before))):
        return None
    after = read_access_around(role)
    earlier = with_scopes(after, role.name, before)
    tools = Tools(carrying(read_tools_at(after)))
    return _told(completed_between(f"role:{role.name}", earlier, after, tools, timezone.now()))


def _told(found: Completion | None) -> Completed | None:
    if found is None:
        return None
    path = found.path
    return Completed(path.untrusted.canonical, path.private.canonical, path.out.canonical, found.principals)

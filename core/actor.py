"""Who is acting, as plain values, so that no lower layer has to ask `access`. Pure module."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class ActorKind(StrEnum):
    """What an actor is; stands in audit records."""

    AGENT = "agent"
    ANONYMOUS = "anonymous"
    PERSON = "person"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class SignIn:
    """How whoever acts in a session of the console proved who they are: when last, and whether by a second factor."""

    at: datetime
    second_factor: bool = False


@dataclass(frozen=True, slots=True)
class Actor:
    """A person, an agent or one of our own processes, with what it may do.

    `permissions` reach everywhere; `own_team_permissions` reach only what a team in `team_ids` owns;
    `team_slugs` are the same teams, for audit records and alerts, which name their owner by slug.
    `id` is the public id of a person (UUID text), the client id of an agent, or the name of a process.
    """

    kind: ActorKind
    id: str
    name: str
    permissions: frozenset[str] = frozenset()
    own_team_permissions: frozenset[str] = frozenset()
    team_ids: frozenset[int] = field(default_factory=frozenset)
    narrowed: bool = False  # acts by a token that names its scopes, so holds less than the person may come to hold
    team_slugs: frozenset[str] = field(default_factory=frozenset)
    until: datetime | None = None  # when the token that it acts by ends; None where nothing ends
    signed_in: SignIn | None = None  # None: acts by a token or a command, not in a session

    def may(self, permission: str, *, team_id: int | None = None) -> bool:
        """Whether the actor holds `permission` for something that team `team_id` owns (None: nobody's)."""
        if permission in self.permissions:
            return True
        return team_id is not None and team_id in self.team_ids and permission in self.own_team_permissions

    def may_somewhere(self, permission: str) -> bool:
        """Whether the actor holds `permission` for at least one thing; lists still narrow by owner."""
        return permission in self.permissions or (permission in self.own_team_permissions and bool(self.team_ids))

    @property
    def lacks_second_factor(self) -> bool:
        """Whether a password alone stands behind what it does. A token stands for itself (ADR 0022)."""
        return self.signed_in is not None and not self.signed_in.second_factor

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


def system_actor(name: str, *permissions: str) -> Actor:
    """One of our own processes, holding exactly the permissions its work needs."""
    return Actor(kind=ActorKind.SYSTEM, id=name, name=name, permissions=frozenset(permissions))


ANONYMOUS = Actor(kind=ActorKind.ANONYMOUS, id="", name="anonymous")

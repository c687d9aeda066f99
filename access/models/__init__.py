"""The tables of `access`. Invariants are constraints first; see each module."""

from access.models.agents import AccessToken, Agent, AgentState, AuthorizationCode, IDToken, NameStyle, RefreshToken
from access.models.people import ApiToken, FailedSignIn, Membership, Person, Team
from access.models.resources import ProtectedResource, Revision
from access.models.roles import Environment, Grant, Reach, Role, RoleSeparation
from access.models.uses import GrantUse, UseCursor

__all__ = [
    "AccessToken",
    "Agent",
    "AgentState",
    "ApiToken",
    "AuthorizationCode",
    "Environment",
    "FailedSignIn",
    "Grant",
    "GrantUse",
    "IDToken",
    "Membership",
    "NameStyle",
    "Person",
    "ProtectedResource",
    "Reach",
    "RefreshToken",
    "Revision",
    "Role",
    "RoleSeparation",
    "Team",
    "UseCursor",
]

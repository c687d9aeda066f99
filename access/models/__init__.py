"""The tables of `access`. Invariants are constraints first; see each module."""

from access.models.agents import (
    AccessToken,
    Agent,
    AgentState,
    AuthorizationCode,
    ConsumedCode,
    IDToken,
    NameStyle,
    RefreshToken,
)
from access.models.clients import FailedDocument, RequestCount
from access.models.consents import Consent
from access.models.digests import PolicyDigest
from access.models.people import ApiToken, FailedSignIn, Membership, Person, Team
from access.models.resources import ProtectedResource, Revision
from access.models.roles import Environment, Grant, Reach, Role, RoleSeparation
from access.models.sessions import ConsoleSession
from access.models.suspensions import Suspension
from access.models.uses import AgentUse, GrantUse, UseCursor

__all__ = [
    "AccessToken",
    "Agent",
    "AgentState",
    "AgentUse",
    "ApiToken",
    "AuthorizationCode",
    "Consent",
    "ConsoleSession",
    "ConsumedCode",
    "Environment",
    "FailedDocument",
    "FailedSignIn",
    "Grant",
    "GrantUse",
    "IDToken",
    "Membership",
    "NameStyle",
    "Person",
    "PolicyDigest",
    "ProtectedResource",
    "Reach",
    "RefreshToken",
    "RequestCount",
    "Revision",
    "Role",
    "RoleSeparation",
    "Suspension",
    "Team",
    "UseCursor",
]

"""The checks of `decide` by name, so that a record says which one decided (docs/access.md). Pure module."""

from enum import StrEnum


class Rule(StrEnum):
    """Which check decided, in the order in which they are made. Stands in audit records; never renamed."""

    SUSPENDED_EVERYTHING = "suspended.everything"
    SUSPENDED_AGENT = "suspended.agent"
    SUSPENDED_PERSON = "suspended.person"
    SUSPENDED_TEAM = "suspended.team"  # of agent or person; a server's is asked with the server itself
    AGENT_ACTIVE = "identity.agent"
    PERSON_ACTIVE = "identity.person"
    SERVER_KNOWN = "server.known"
    TOKEN_AUDIENCE = "token.audience"  # noqa: S105 -- a rule, no secret
    GRANT_SERVER = "grant.server"
    CEILING_SERVER = "ceiling.server"
    SUSPENDED_SERVER = "suspended.server"
    SERVER_ACTIVE = "server.active"
    SERVER_CARD = "server.card"
    SERVER_EMERGENCY = "server.emergency"
    TOKEN_CONNECT = "token.connect"  # noqa: S105 -- as above
    DEFINITION_KNOWN = "definition.known"
    DEFINITION_SHOWN = "definition.shown"
    GRANT_DEFINITION = "grant.definition"
    CEILING_DEFINITION = "ceiling.definition"
    SUSPENDED_DEFINITION = "suspended.definition"
    DEFINITION_APPROVED = "definition.approved"
    DEFINITION_UNEXPIRED = "definition.unexpired"
    DEFINITION_SCHEMA = "definition.schema"
    DEFINITION_SCHEME = "definition.scheme"
    INTENTION_GIVEN = "intention.given"
    TOKEN_SCOPE = "token.scope"  # noqa: S105 -- as above
    ALLOW_CONNECTION = "allow.connection"
    ALLOW_DEFINITION = "allow.definition"

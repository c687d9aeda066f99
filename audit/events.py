"""What an audit record can be about. Pure module; events are in the past tense and in alphabetical order."""

from enum import StrEnum


class RecordType(StrEnum):
    """The eight kinds of record. A call has an intent and an outcome, or one deny."""

    __hash__ = str.__hash__  # an enumeration's own is written in Python, and each call's records are looked up by these

    INTENT = "intent"
    OUTCOME = "outcome"
    DENY = "deny"
    AUTH = "auth"
    CONFIG = "config"
    REVIEW = "review"
    ADMIN = "admin"
    CHECKPOINT = "checkpoint"


class Event(StrEnum):
    """Everything that is recorded."""

    __hash__ = str.__hash__

    ACTION_DENIED = "action.denied"
    AGENT_CHANGED = "agent.changed"
    AGENT_REGISTERED = "agent.registered"
    AGENT_REGISTRATION_REFUSED = "agent.registration_refused"
    AGENT_REMOVED = "agent.removed"
    AGENT_RESUMED = "agent.resumed"
    AGENT_SECRET_ROTATED = "agent.secret_rotated"  # noqa: S105 -- an event's name, no secret
    AGENT_SUSPENDED = "agent.suspended"
    ALERT_ACKNOWLEDGED = "alert.acknowledged"
    ALERT_RESOLVED = "alert.resolved"
    API_TOKEN_CREATED = "api_token.created"  # noqa: S105 -- an event's name, no secret
    API_TOKEN_REVOKED = "api_token.revoked"  # noqa: S105 -- an event's name, no secret
    CALL_COMPLETED = "call.completed"
    CALL_DENIED = "call.denied"
    CALL_INTENDED = "call.intended"
    CHANNEL_CHANGED = "channel.changed"
    CHANNEL_CREATED = "channel.created"
    CHANNEL_DISABLED = "channel.disabled"
    CHANNEL_ENABLED = "channel.enabled"
    CHANNEL_TESTED = "channel.tested"
    CLIENT_ANSWERED = "client.answered"
    CLIENT_ASKED = "client.asked"
    CONNECTION_OPENED = "connection.opened"
    CONSENT_GIVEN = "consent.given"
    CONSENT_REFUSED = "consent.refused"
    CONSENT_REVOKED = "consent.revoked"
    FINDING_ADDED = "finding.added"
    GLASS_BROKEN = "glass.broken"
    GLASS_ENDED = "glass.ended"
    GRANT_GIVEN = "grant.given"
    GRANT_REVOKED = "grant.revoked"
    INSTALLATION_SET_UP = "installation.set_up"
    MEMBERSHIP_ADDED = "membership.added"
    MEMBERSHIP_REMOVED = "membership.removed"
    PERSON_CHANGED = "person.changed"
    PERSON_CREATED = "person.created"
    PERSON_DEACTIVATED = "person.deactivated"
    PERSON_PASSWORD_CHANGED = "person.password_changed"  # noqa: S105 -- an event's name, no secret
    PERSON_SIGNED_IN = "person.signed_in"
    PERSON_SIGNED_OUT = "person.signed_out"
    PERSON_SIGN_IN_FAILED = "person.sign_in_failed"
    PIN_ENDED = "pin.ended"
    PIN_EXPIRED = "pin.expired"
    PIN_SET = "pin.set"
    POLICY_CONFIRMED = "policy.confirmed"
    POLICY_DISABLED = "policy.disabled"
    POLICY_ENABLED = "policy.enabled"
    POLICY_WRITTEN = "policy.written"
    REQUEST_ANSWERED = "request.answered"
    REQUESTS_LIMITED = "requests.limited"
    REVIEW_DECIDED = "review.decided"
    REVIEW_OPENED = "review.opened"
    REVIEW_REOPENED = "review.reopened"
    REVIEW_SUPERSEDED = "review.superseded"
    ROLE_CHANGED = "role.changed"
    ROLE_CREATED = "role.created"
    ROLE_DELETED = "role.deleted"
    SEPARATION_ENDED = "separation.ended"
    SEPARATION_MADE = "separation.made"
    SERVER_ACTIVATED = "server.activated"
    SERVER_BECAME_REACHABLE = "server.became_reachable"
    SERVER_BECAME_UNREACHABLE = "server.became_unreachable"
    SERVER_EDITED = "server.edited"
    SERVER_POLLED_COMPLETELY = "server.polled_completely"
    SERVER_POLLED_INCOMPLETELY = "server.polled_incompletely"
    SERVER_REGISTERED = "server.registered"
    SERVER_RESUMED = "server.resumed"
    SERVER_RETIRED = "server.retired"
    SERVER_REVIVED = "server.revived"
    SERVER_SUSPENDED = "server.suspended"
    TEAM_CHANGED = "team.changed"
    TEAM_CREATED = "team.created"
    TOKEN_ISSUED = "token.issued"  # noqa: S105 -- an event's name, no secret
    TOKEN_REFUSED = "token.refused"  # noqa: S105 -- an event's name, no secret
    TOKEN_REVOKED = "token.revoked"  # noqa: S105 -- an event's name, no secret
    TOOL_APPEARED = "tool.appeared"
    TOOL_DRIFTED = "tool.drifted"
    TOOL_FLAPPING = "tool.flapping"
    TOOL_MARKED_SENSITIVE = "tool.marked_sensitive"
    TOOL_RESTORED = "tool.restored"
    TOOL_SHOWN_ALIKE = "tool.shown_alike"
    TOOL_SHOWN_DIFFERENTLY = "tool.shown_differently"
    TOOL_VANISHED = "tool.vanished"

"""Names of the console's and API's permissions: `resource:verb`, kept in alphabetical order.

They stand in a role's `scopes` beside its MCP scopes (see `core.scopes`). Pure module.
"""

from enum import StrEnum


class Permission(StrEnum):
    """Everything a person or an API token can be allowed to do outside the gateway."""

    AGENT_MANAGE = "agent:manage"
    AGENT_READ = "agent:read"
    AGENT_REGISTER = "agent:register"
    ALERT_ACKNOWLEDGE = "alert:acknowledge"
    ALERT_READ = "alert:read"
    AUDIT_EXPORT = "audit:export"
    AUDIT_READ = "audit:read"
    CHANNEL_MANAGE = "channel:manage"
    GRANT_MANAGE = "grant:manage"
    GRANT_READ = "grant:read"
    LOG_PRUNE = "log:prune"
    PAYLOAD_ERASE = "payload:erase"
    PAYLOAD_READ = "payload:read"
    PERSON_MANAGE = "person:manage"
    PERSON_READ = "person:read"
    POLICY_MANAGE = "policy:manage"
    POLICY_READ = "policy:read"
    REVIEW_BREAK_GLASS = "review:break_glass"
    REVIEW_COMMENT = "review:comment"
    REVIEW_DECIDE = "review:decide"
    REVIEW_READ = "review:read"
    ROLE_MANAGE = "role:manage"
    ROLE_READ = "role:read"
    SERVER_EDIT = "server:edit"
    SERVER_POLL = "server:poll"
    SERVER_READ = "server:read"
    SERVER_REGISTER = "server:register"
    SERVER_RETIRE = "server:retire"
    SERVER_SUSPEND = "server:suspend"
    SINK_MANAGE = "sink:manage"
    SUSPENSION_LIFT = "suspension:lift"
    SUSPENSION_READ = "suspension:read"
    SUSPENSION_SET = "suspension:set"
    TEAM_MANAGE = "team:manage"
    TEAM_READ = "team:read"
    TOKEN_MANAGE = "token:manage"  # noqa: S105 -- a permission, no secret
    TOOL_READ = "tool:read"

"""What can be done in `access`: one function per command, in one transaction, with one audit record."""

from access.services.agents import RegisteredAgent, register_agent, resume_agent, rotate_secret, suspend_agent
from access.services.api_tokens import authenticate_api_token, create_api_token, revoke_api_token
from access.services.attempts import TooManyAttempts
from access.services.authority import actor_for, may_pass_on, people_who_may
from access.services.clients import awaits_person, is_listed, resolve_client
from access.services.consents import revoke_consent
from access.services.digests import (
    altered,
    policy_digest,
    stamp,
    tell_alterations,
    tell_stamp,
    was_left_by_changes,
)
from access.services.grants import Holder, give_grant, revoke_grant
from access.services.housekeeping import clear_expired
from access.services.inspecting import InspectedToken, TokenState, inspect_token
from access.services.people import choose_language, create_person, deactivate_person, reactivate_person, set_password
from access.services.proving import Proof, reauthenticate
from access.services.registration import register_client
from access.services.resources import keep_protected_resource, name_introspector
from access.services.revisions import ACCESS_PART, bump_revision, server_part
from access.services.roles import change_role, create_role, ensure_builtin_roles
from access.services.second_factors import (
    add_app,
    add_passkey,
    remove_app,
    remove_passkey,
    renew_recovery_codes,
    reset_second_factors,
)
from access.services.separation import end_separation, separate_roles
from access.services.sessions import end_other_sessions, end_session, end_sessions, standing
from access.services.setup import create_first_administrator
from access.services.sign_in import finish_sign_in, pending_person, sign_in, sign_in_by_passkey, sign_out
from access.services.suspensions import (
    Target,
    is_suspended,
    lift,
    live_names,
    refuse_leaving,
    suspend,
    suspended_now,
    target_of,
)
from access.services.teams import add_member, create_team, remove_member
from access.services.withdrawal import withdraw_server_scopes

__all__ = [
    "ACCESS_PART",
    "Holder",
    "InspectedToken",
    "Proof",
    "RegisteredAgent",
    "Target",
    "TokenState",
    "TooManyAttempts",
    "actor_for",
    "add_app",
    "add_member",
    "add_passkey",
    "altered",
    "authenticate_api_token",
    "awaits_person",
    "bump_revision",
    "change_role",
    "choose_language",
    "clear_expired",
    "create_api_token",
    "create_first_administrator",
    "create_person",
    "create_role",
    "create_team",
    "deactivate_person",
    "end_other_sessions",
    "end_separation",
    "end_session",
    "end_sessions",
    "ensure_builtin_roles",
    "finish_sign_in",
    "give_grant",
    "inspect_token",
    "is_listed",
    "is_suspended",
    "keep_protected_resource",
    "lift",
    "live_names",
    "may_pass_on",
    "name_introspector",
    "pending_person",
    "people_who_may",
    "policy_digest",
    "reactivate_person",
    "reauthenticate",
    "refuse_leaving",
    "register_agent",
    "register_client",
    "remove_app",
    "remove_member",
    "remove_passkey",
    "renew_recovery_codes",
    "reset_second_factors",
    "resolve_client",
    "resume_agent",
    "revoke_api_token",
    "revoke_consent",
    "revoke_grant",
    "rotate_secret",
    "separate_roles",
    "server_part",
    "set_password",
    "sign_in",
    "sign_in_by_passkey",
    "sign_out",
    "stamp",
    "standing",
    "suspend",
    "suspend_agent",
    "suspended_now",
    "target_of",
    "tell_alterations",
    "tell_stamp",
    "was_left_by_changes",
    "withdraw_server_scopes",
]

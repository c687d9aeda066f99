"""Pages of reviews, of what servers show, of change policies and of what is not used."""

from tools.views.bulk import decide_many, undo_many
from tools.views.catalogue import catalogue
from tools.views.decisions import break_glass, end_glass, reopen, return_to, withdraw
from tools.views.definitions import compare, definition, mark_sensitive
from tools.views.inbox_page import inbox
from tools.views.policies import (
    confirm_revision,
    disable_policy,
    enable_policy,
    policies,
    policy,
    revise_policy,
    write_policy,
)
from tools.views.reviews import review
from tools.views.rightsizing import narrow, right_sizing
from tools.views.servers import poll, retire, server_detail
from tools.views.suppressions import revoke_suppression, suppressions
from tools.views.suspensions import lift_suspension, suspensions
from tools.views.triage import assign, comment, remove_view, save_view, snooze, wake

__all__ = [
    "assign",
    "break_glass",
    "catalogue",
    "comment",
    "compare",
    "confirm_revision",
    "decide_many",
    "definition",
    "disable_policy",
    "enable_policy",
    "end_glass",
    "inbox",
    "lift_suspension",
    "mark_sensitive",
    "narrow",
    "policies",
    "policy",
    "poll",
    "remove_view",
    "reopen",
    "retire",
    "return_to",
    "review",
    "revise_policy",
    "revoke_suppression",
    "right_sizing",
    "save_view",
    "server_detail",
    "snooze",
    "suppressions",
    "suspensions",
    "undo_many",
    "wake",
    "withdraw",
    "write_policy",
]

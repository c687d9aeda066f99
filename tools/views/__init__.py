"""Pages of reviews, of what servers show, of change policies and of what is not used."""

from tools.views.catalogue import catalogue
from tools.views.decisions import break_glass, end_glass, reopen, return_to, withdraw
from tools.views.definitions import compare, definition, mark_sensitive
from tools.views.policies import (
    confirm_revision,
    disable_policy,
    enable_policy,
    policies,
    policy,
    revise_policy,
    write_policy,
)
from tools.views.reviews import decide_many, inbox, review
from tools.views.rightsizing import narrow, right_sizing
from tools.views.servers import poll, retire, server_detail
from tools.views.suppressions import revoke_suppression, suppressions
from tools.views.suspensions import lift_suspension, suspensions

__all__ = [
    "break_glass",
    "catalogue",
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
    "reopen",
    "retire",
    "return_to",
    "review",
    "revise_policy",
    "revoke_suppression",
    "right_sizing",
    "server_detail",
    "suppressions",
    "suspensions",
    "withdraw",
    "write_policy",
]

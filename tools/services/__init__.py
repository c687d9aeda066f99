"""What can be done with definitions: observe, compare, decide, mark, retire; and with policies, which decide too.

One function per command, keyword-only, in one transaction with one audit record per thing that changed.
"""

from tools.services.absorbing import PollResult, absorb
from tools.services.checking import check_server_now
from tools.services.deciding import Choice, ItemResult, decide_review, decide_reviews
from tools.services.emergencies import break_glass, end_glass_now, end_run_out
from tools.services.expiring import settle_expired
from tools.services.marking import mark_sensitive
from tools.services.narrowing import narrow_role
from tools.services.policies import confirm_revision, disable_policy, enable_policy, revise_policy, write_policy
from tools.services.polling import Lease, claim_due_servers, poll_now, poll_soon, still_held
from tools.services.reopening import reopen_review
from tools.services.rescanning import rescan_outdated
from tools.services.resembling import sketch_old_versions
from tools.services.retiring import retire
from tools.services.returning import return_to_version, withdraw_approval
from tools.services.sighting import sight
from tools.services.suppressing import Target, revoke_suppression, suppress
from tools.services.suspending import suspend
from tools.services.triaging import assign_review, comment_on_review, snooze_review, wake_review
from tools.services.trying import Trial, try_policy
from tools.services.undoing import undo_decisions
from tools.services.using import count_uses
from tools.services.viewing import remove_view, save_view

__all__ = [
    "Choice",
    "ItemResult",
    "Lease",
    "PollResult",
    "Target",
    "Trial",
    "absorb",
    "assign_review",
    "break_glass",
    "check_server_now",
    "claim_due_servers",
    "comment_on_review",
    "confirm_revision",
    "count_uses",
    "decide_review",
    "decide_reviews",
    "disable_policy",
    "enable_policy",
    "end_glass_now",
    "end_run_out",
    "mark_sensitive",
    "narrow_role",
    "poll_now",
    "poll_soon",
    "remove_view",
    "reopen_review",
    "rescan_outdated",
    "retire",
    "return_to_version",
    "revise_policy",
    "revoke_suppression",
    "save_view",
    "settle_expired",
    "sight",
    "sketch_old_versions",
    "snooze_review",
    "still_held",
    "suppress",
    "suspend",
    "try_policy",
    "undo_decisions",
    "wake_review",
    "withdraw_approval",
    "write_policy",
]

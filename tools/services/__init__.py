"""What can be done with definitions: observe and compare, decide, mark, retire.

One function per command, keyword-only, in one transaction with one audit record per thing that changed.
"""

from tools.services.absorbing import PollResult, absorb
from tools.services.deciding import Choice, ItemResult, decide_review, decide_reviews
from tools.services.marking import mark_sensitive
from tools.services.polling import Lease, claim_due_servers, poll_now, poll_soon, still_held
from tools.services.retiring import retire

__all__ = [
    "Choice",
    "ItemResult",
    "Lease",
    "PollResult",
    "absorb",
    "claim_due_servers",
    "decide_review",
    "decide_reviews",
    "mark_sensitive",
    "poll_now",
    "poll_soon",
    "retire",
    "still_held",
]

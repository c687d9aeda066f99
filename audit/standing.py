"""How the log stands, as every page that speaks of it says: what was verified, and whether it is being verified now."""

from datetime import datetime
from typing import TypedDict

from audit import services
from audit.models import Verification
from audit.models.verifications import Standing


class Stands(TypedDict):
    """`asked`: since when a verification that somebody asked for is under way."""

    verified: Standing | None
    asked: datetime | None


def standing() -> Stands:
    """What `audit/_verified.html` shows.

    What is asked for is read first: a verification that ends between the two is then seen as ended. Read last, it
    would be neither under way nor there.
    """
    asked = services.verification_asked()
    return {"verified": Verification.objects.standing(), "asked": asked}

"""How the log stands, as every page that speaks of it says: what was verified, and whether it is being verified now."""

from typing import Any

from audit import services
from audit.models import Verification


def standing() -> dict[str, Any]:
    """What `audit/_verified.html` shows."""
    return {"verified": Verification.objects.standing(), "asked": services.verification_asked()}

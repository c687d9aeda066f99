"""Definitions, versions, reviews, decisions, pins, policies, sightings. Invariants are constraints.

What a constraint cannot say stands in triggers (`migrations/0002_triggers.py`, `0004_guards.py`) that the
application's role cannot disable: versions and decisions never change, a review closes only with the decisions that
it needs, and a pin needs as many approvals of exactly its digest as its server asks for, by people who may give them.
"""

from tools.models.definitions import Definition, DefinitionVersion, Finding, ServerFinding, Sketch
from tools.models.pins import BreakGlass, Pin
from tools.models.policies import ChangePolicy, PolicyRevision
from tools.models.reviews import Resemblance, Review, ReviewDecision
from tools.models.sightings import Sighting
from tools.models.suppressions import Suppression
from tools.models.triage import ReviewComment, Triage

__all__ = [
    "BreakGlass",
    "ChangePolicy",
    "Definition",
    "DefinitionVersion",
    "Finding",
    "Pin",
    "PolicyRevision",
    "Resemblance",
    "Review",
    "ReviewComment",
    "ReviewDecision",
    "ServerFinding",
    "Sighting",
    "Sketch",
    "Suppression",
    "Triage",
]

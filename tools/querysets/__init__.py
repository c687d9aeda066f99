"""Reads of definitions, reviews, pins, sightings and policies. Lists that a person sees start from `visible_to`."""

from tools.querysets.definitions import DefinitionQuerySet, ServedRow, VersionQuerySet
from tools.querysets.findings import FindingQuerySet, ServerFindingQuerySet, SuppressionQuerySet
from tools.querysets.pins import BreakGlassQuerySet, PinQuerySet
from tools.querysets.policies import PolicyQuerySet
from tools.querysets.reviews import ReviewQuerySet
from tools.querysets.sightings import SightingQuerySet
from tools.querysets.triage import CommentQuerySet, TriageQuerySet

__all__ = [
    "BreakGlassQuerySet",
    "CommentQuerySet",
    "DefinitionQuerySet",
    "FindingQuerySet",
    "PinQuerySet",
    "PolicyQuerySet",
    "ReviewQuerySet",
    "ServedRow",
    "ServerFindingQuerySet",
    "SightingQuerySet",
    "SuppressionQuerySet",
    "TriageQuerySet",
    "VersionQuerySet",
]

"""Why somebody should look at a review, in a few words that a list narrows by. Pure module."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final

from tools.classify import ChangeClass


class Why(StrEnum):
    """What about a change draws the eye."""

    NEW = "new"
    WORDING = "wording"
    SCHEMA_WIDENED = "schema_widened"
    HINTS = "hints"
    HIDDEN = "hidden"
    LOOKALIKE = "lookalike"
    IDENTITY = "identity"


# By the classes of a change, where those say it. A schema that could not be judged counts as a wider one.
CLASSES: Final[Mapping[Why, frozenset[ChangeClass]]] = {
    Why.NEW: frozenset({ChangeClass.NEW}),
    Why.WORDING: frozenset({ChangeClass.WORDING, ChangeClass.TITLE, ChangeClass.INSTRUCTIONS}),
    Why.SCHEMA_WIDENED: frozenset({
        ChangeClass.INPUT_SCHEMA_WIDENED, ChangeClass.INPUT_SCHEMA_UNKNOWN,
        ChangeClass.OUTPUT_SCHEMA_WIDENED, ChangeClass.OUTPUT_SCHEMA_UNKNOWN,
    }),
    Why.HINTS: frozenset({ChangeClass.ANNOTATIONS_LOOSENED, ChangeClass.ANNOTATIONS_TIGHTENED}),
    Why.IDENTITY: frozenset({ChangeClass.IDENTITY, ChangeClass.ENDPOINT, ChangeClass.AUTHORIZATION}),
}  # fmt: skip
# By rules of the scanner (docs/rules.md), where only they know.
RULES: Final[Mapping[Why, frozenset[str]]] = {
    Why.HIDDEN: frozenset({"HF-001", "HF-002", "HF-005", "HF-006", "HF-008", "HF-009", "HF-903"}),
    Why.LOOKALIKE: frozenset({"HF-004", "HF-301", "HF-303", "HF-305"}),
}


def found_whys(rules: Iterable[str]) -> list[Why]:
    """What the scanner's findings say beside the classes of a change, whose own words stand beside it anyway."""
    named = set(rules)
    return [why for why, known in RULES.items() if known & named]

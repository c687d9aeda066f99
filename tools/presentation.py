"""What a page or the API shows of a review. Pure: the caller hands in values, nothing is read here.

Everything from upstream is text. The runs of `tools.visible` say which parts are plain and which are labels for
what would not be seen; the template escapes both.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from servers.surface import Kind
from tools.classify import MISSING, Change, ChangeClass, FieldChange, classify
from tools.diff import SECONDS_MAX, Op, TextDiff, word_diff
from tools.visible import MixedWord, Run, mixed_words, runs

BODY_MAX: Final = 200_000  # characters of the whole body on a page
DIFF_SECONDS: Final = 1.0  # for all fields of one review together

SENTENCES: Final[Mapping[ChangeClass, str]] = {
    ChangeClass.ANNOTATIONS: "Hints on audience or priority changed",
    ChangeClass.ANNOTATIONS_LOOSENED: "Hints now ask clients for less caution",
    ChangeClass.ANNOTATIONS_TIGHTENED: "Hints now ask clients for more caution: it may do more than it said",
    ChangeClass.ARGUMENTS: "Arguments of the prompt changed",
    ChangeClass.AUTHORIZATION: "Where clients get tokens for the server changed",
    ChangeClass.CAPABILITIES_GAINED: "The server claims more capabilities",
    ChangeClass.CAPABILITIES_LOST: "The server claims fewer capabilities",
    ChangeClass.ENDPOINT: "The server's endpoint moved",
    ChangeClass.EXECUTION: "How the tool is executed changed",
    ChangeClass.EXPIRED: "The approval ran out; nothing changed",
    ChangeClass.ICONS: "Icons changed",
    ChangeClass.IDENTITY: "The server's identity changed",
    ChangeClass.IDENTITY_VERSION: "The server has another version number",
    ChangeClass.INPUT_SCHEMA_EQUIVALENT: "Arguments: written differently, accepts the same",
    ChangeClass.INPUT_SCHEMA_NARROWED: "Arguments: accepts less than before",
    ChangeClass.INPUT_SCHEMA_UNKNOWN: "Arguments: changed in a way that could not be judged",
    ChangeClass.INPUT_SCHEMA_WIDENED: "Arguments: accepts more than before",
    ChangeClass.INSTRUCTIONS: "Instructions to the model changed",
    ChangeClass.META: "Metadata (_meta) changed",
    ChangeClass.MIME_TYPE: "The MIME type changed",
    ChangeClass.NEW: "New: nothing of this name was ever approved, or its approval has ended",
    ChangeClass.OTHER: "Something changed that we have no name for",
    ChangeClass.OUTPUT_SCHEMA_EQUIVALENT: "Results: written differently, allows the same",
    ChangeClass.OUTPUT_SCHEMA_NARROWED: "Results: allows less than before",
    ChangeClass.OUTPUT_SCHEMA_UNKNOWN: "Results: changed in a way that could not be judged",
    ChangeClass.OUTPUT_SCHEMA_WIDENED: "Results: allows more than before",
    ChangeClass.SCHEMA_DEFAULT: "A default value changed",
    ChangeClass.TITLE: "The title changed",
    ChangeClass.URI: "The address changed",
    ChangeClass.WORDING: "Wording that a model reads changed",
}


@dataclass(frozen=True, slots=True)
class SegmentView:
    """A stretch of a diff: its text, and the same as runs."""

    op: Op
    text: str
    runs: tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class FieldView:
    """One changed field: pointer, class, what was there and is there (as text, None where nothing is).

    `segments` is the word diff of the two, empty where a field came or went; show `before_runs`, `after_runs` then.
    """

    pointer: str
    path: tuple[Run, ...]
    cls: ChangeClass
    sentence: str
    before: str | None
    after: str | None
    before_runs: tuple[Run, ...]
    after_runs: tuple[Run, ...]
    segments: tuple[SegmentView, ...]
    cut: bool
    mixed: tuple[MixedWord, ...]


@dataclass(frozen=True, slots=True)
class ReviewView:
    """Everything a review page shows of the change itself. `more_fields`: there were more than are listed."""

    name: tuple[Run, ...]
    change: Change
    sentences: tuple[str, ...]
    fields: tuple[FieldView, ...]
    before: tuple[Run, ...] | None
    after: tuple[Run, ...]
    body_cut: bool
    more_fields: bool


def review_view(*, kind: str, name: str, before: str | None, after: str, change: Sequence[str] = ()) -> ReviewView:
    """The view of a review, given the stored JSON texts of the approved and the held version.

    `change` are the classes that stand in the review, shown where the texts alone would not say it (expired).
    """
    old, new = (json.loads(before) if before is not None else None), json.loads(after)
    found = classify(Kind(kind), old, new)
    classes = tuple(ChangeClass(cls) for cls in change) or found.classes
    shown_before = None if old is None else pretty(old)
    shown_after = pretty(new)
    return ReviewView(
        name=runs(name),
        change=found,
        sentences=tuple(SENTENCES[cls] for cls in classes),
        fields=_field_views(_fields(old, new, found)),
        before=None if shown_before is None else runs(shown_before[:BODY_MAX]),
        after=runs(shown_after[:BODY_MAX]),
        body_cut=max(len(shown_before or ""), len(shown_after)) > BODY_MAX,
        more_fields=found.truncated,
    )


def pretty(value: Any) -> str:
    """JSON for reading, characters as they are."""
    return json.dumps(value, ensure_ascii=False, indent=2)


def _fields(old: Any, new: Mapping[str, Any], change: Change) -> tuple[FieldChange, ...]:
    """The changed fields; of something new, every field there is."""
    if old is not None:
        return change.fields
    return tuple(FieldChange(f"/{key}", MISSING, item, ChangeClass.NEW) for key, item in new.items())


def _field_views(fields: Sequence[FieldChange]) -> tuple[FieldView, ...]:
    """Word diffs as long as the time lasts; then whole values against each other."""
    deadline = time.monotonic() + DIFF_SECONDS
    return tuple(_field_view(field, min(SECONDS_MAX, deadline - time.monotonic())) for field in fields)


def _field_view(field: FieldChange, seconds: float) -> FieldView:
    before, after = _shown(field.before), _shown(field.after)
    diff = TextDiff(()) if before is None or after is None else word_diff(before, after, seconds=seconds)
    return FieldView(
        pointer=field.path,
        path=runs(field.path),
        cls=field.cls,
        sentence=SENTENCES[field.cls],
        before=before,
        after=after,
        before_runs=runs(before or ""),
        after_runs=runs(after or ""),
        segments=tuple(SegmentView(part.op, part.text, runs(part.text)) for part in diff.segments),
        cut=diff.cut or max(len(before or ""), len(after or "")) == BODY_MAX,
        mixed=mixed_words(after or ""),
    )


def _shown(value: Any) -> str | None:
    """A value as text, cut to what a page holds."""
    if value is MISSING:
        return None
    return (value if isinstance(value, str) else pretty(value))[:BODY_MAX]

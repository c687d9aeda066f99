"""What a page or the API shows of a review. Pure: the caller hands in values, nothing is read here.

Everything from upstream is text. The runs of `tools.visible` say which parts are plain and which are labels for
what would not be seen; the template escapes both.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from access.policy import DefinitionFacts, PinState, accepted_scopes
from servers.surface import Kind
from tools import visible
from tools.classify import MISSING, Change, ChangeClass, FieldChange, classify, risk_of
from tools.diff import SECONDS_MAX, Op, Segment, TextDiff, word_diff
from tools.visible import MixedWord, Run, mixed_words, runs

BODY_MAX: Final = 200_000  # characters of the whole body on a page
PAGE_MAX: Final = 1_000_000  # characters of all fields of one review together, each side counted
RUNS_MAX: Final = 20_000  # of all fields together
DIFF_SECONDS: Final = 1.0  # for all fields of one review together
_BEGINNING: Final = 500  # characters of a field that are shown however full the page is
_FEW: Final = 100  # parts of a diff, likewise
_INDENTED: Final = json.JSONEncoder(ensure_ascii=False, indent=2)

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
    ChangeClass.SHOWN_DIFFERENTLY: "Agents were shown another text than we were when we looked",
    ChangeClass.TITLE: "The title changed",
    ChangeClass.URI: "The address changed",
    ChangeClass.WITHDRAWN: "Its approval was withdrawn; nothing changed",
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

    `cut`: a text was longer than what is shown of it.
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
    """Everything a review page shows of the change itself. `more_fields`: there were more than are listed.

    `let_go`: the text of what the review was about is no longer kept, so there is nothing to compare.
    """

    name: tuple[Run, ...]
    change: Change
    sentences: tuple[str, ...]
    fields: tuple[FieldView, ...]
    before: tuple[Run, ...] | None
    after: tuple[Run, ...]
    body_cut: bool
    more_fields: bool
    let_go: bool = False


def review_view(*, kind: str, name: str, before: str | None, after: str, change: Sequence[str] = ()) -> ReviewView:
    """The view of a review, given the stored JSON texts of the approved and the held version.

    `change` are the classes that stand in the review, shown where the texts alone would not say it (expired). An
    empty `after` is a text that was let go.
    """
    if not after:
        return _view_without_text(name, before, change)
    old, new = (json.loads(before) if before is not None else None), json.loads(after)
    found = classify(Kind(kind), old, new)
    classes = tuple(ChangeClass(cls) for cls in change) or found.classes
    shown_before, shown_after = _shown(MISSING if old is None else old, BODY_MAX), _shown(new, BODY_MAX)
    return ReviewView(
        name=runs(name),
        change=found,
        sentences=tuple(SENTENCES[cls] for cls in classes),
        fields=_field_views(_fields(old, new, found)),
        before=None if shown_before is None else runs(shown_before.text),
        after=runs(shown_after.text) if shown_after else (),
        body_cut=any(shown.cut for shown in (shown_before, shown_after) if shown),
        more_fields=found.truncated,
    )


def _view_without_text(name: str, before: str | None, change: Sequence[str]) -> ReviewView:
    classes = tuple(ChangeClass(cls) for cls in change)
    shown = None if before is None else _shown(json.loads(before), BODY_MAX)
    return ReviewView(
        name=runs(name),
        change=Change(classes, (), risk_of(classes)),
        sentences=tuple(SENTENCES[cls] for cls in classes),
        fields=(),
        before=None if shown is None else runs(shown.text),
        after=(),
        body_cut=shown is not None and shown.cut,
        more_fields=False,
        let_go=True,
    )


def _fields(old: Any, new: Mapping[str, Any], change: Change) -> tuple[FieldChange, ...]:
    """The changed fields; of something new, every field there is."""
    if old is not None:
        return change.fields
    return tuple(FieldChange(f"/{key}", MISSING, item, ChangeClass.NEW) for key, item in new.items())


@dataclass(slots=True)
class _Room:
    """What is left for the fields of one page: time for word diffs, characters, runs."""

    deadline: float
    characters: int = PAGE_MAX
    runs: int = RUNS_MAX

    def shown(self, value: Any) -> "_Shown | None":
        """A value as text, cut to what is left; the beginning of it always has room."""
        shown = _shown(value, min(BODY_MAX, max(self.characters, _BEGINNING)))
        self.characters -= len(shown.text) if shown else 0
        return shown

    def split(self, text: str) -> tuple[Run, ...]:
        """Runs as far as there is room, then escapes."""
        found = runs(text, most=max(0, min(visible.RUNS_MAX, self.runs)))
        self.runs -= len(found)
        return found

    def diff(self, before: str, after: str) -> TextDiff:
        """A word diff if there is time for it and room for its parts, or else one side against the other."""
        if before == after:
            return TextDiff((Segment(Op.SAME, before), Segment(Op.ADDED, "[differs in what is not shown]")), cut=True)
        seconds = min(SECONDS_MAX, self.deadline - time.monotonic())
        found = word_diff(before, after, seconds=seconds)
        return found if len(found.segments) < max(self.runs, _FEW) else word_diff(before, after, seconds=0)


@dataclass(frozen=True, slots=True)
class _Shown:
    text: str
    cut: bool


def _field_views(fields: Sequence[FieldChange]) -> tuple[FieldView, ...]:
    """Word diffs as long as time and room last; then whole values against each other."""
    room = _Room(deadline=time.monotonic() + DIFF_SECONDS)
    return tuple(_field_view(field, room) for field in fields)


def _field_view(field: FieldChange, room: _Room) -> FieldView:
    old, new = room.shown(field.before), room.shown(field.after)
    before, after = old.text if old else None, new.text if new else None
    diff = TextDiff(()) if before is None or after is None else room.diff(before, after)
    return FieldView(
        pointer=field.path,
        path=runs(field.path),
        cls=field.cls,
        sentence=SENTENCES[field.cls],
        before=before,
        after=after,
        before_runs=room.split(before or ""),
        after_runs=room.split(after or ""),
        segments=tuple(SegmentView(part.op, part.text, room.split(part.text)) for part in diff.segments),
        cut=diff.cut or any(shown.cut for shown in (old, new) if shown),
        mixed=mixed_words(after or ""),
    )


def _shown(value: Any, most: int) -> _Shown | None:
    """A value as text of at most `most` characters; indentation can make a text many times as long as its value."""
    if value is MISSING:
        return None
    if isinstance(value, str):
        return _Shown(value[:most], cut=len(value) > most)
    parts, size = [], 0
    for part in _INDENTED.iterencode(value):
        parts.append(part)
        size += len(part)
        if size > most:
            break
    return _Shown("".join(parts)[:most], cut=size > most)


def scopes_for(slug: str, kind: str, name: str, *, sensitive: bool) -> tuple[str, ...]:
    """The scopes any of which reaches a definition, the smallest first; none for a server's card."""
    if kind == Kind.CARD:
        return ()
    accepted = accepted_scopes(slug, DefinitionFacts(kind, name, PinState.APPROVED, sensitive=sensitive))
    return tuple(sorted(accepted, key=lambda scope: -scope.count(":")))

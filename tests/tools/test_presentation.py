"""What a review page shows: values in, runs and segments out, in bounded time."""

import json
import time
from collections.abc import Sequence
from typing import Any

from tools.classify import ChangeClass
from tools.diff import Op
from tools.presentation import BODY_MAX, ReviewView, review_view


def view(before: Any, after: Any, change: Sequence[str] = ()) -> ReviewView:
    old = None if before is None else json.dumps(before)
    return review_view(kind="tool", name="read", before=old, after=json.dumps(after), change=change)


def body(description: str, **fields: Any) -> dict[str, Any]:
    return {"name": "read", "description": description, **fields}


def test_a_changed_description_is_a_word_diff_with_chips() -> None:
    (field,) = view(body("Read a file."), body("Read\u200b any file.")).fields
    assert (field.pointer, field.cls) == ("/description", ChangeClass.WORDING)
    shown = [(part.op, [run.text for run in part.runs]) for part in field.segments]
    assert (Op.REMOVED, [" a"]) in shown or (Op.REMOVED, ["a"]) in shown
    assert any("ZWSP" in texts for op, texts in shown if op is Op.ADDED)


def test_a_field_that_came_or_went_has_no_word_diff() -> None:
    gone, came = view(body("x", title="T"), body("x", _meta={"a": 1})).fields
    assert (gone.before, gone.after, gone.segments) == ("T", None, ())
    assert (came.before, json.loads(came.after or ""), came.segments) == (None, {"a": 1}, ())


def test_something_new_lists_every_field_there_is() -> None:
    shown = view(None, body("Read.", icons=[]))
    assert [field.pointer for field in shown.fields] == ["/name", "/description", "/icons"]
    assert shown.before is None
    assert shown.sentences[0].startswith("New")


def test_classes_that_the_texts_do_not_tell_come_from_the_review() -> None:
    assert view(body("x"), body("x"), change=["expired"]).sentences == ("The approval ran out; nothing changed",)


def test_look_alike_letters_are_noted() -> None:
    (field,) = view(body("Use paypal"), body("Use payp\u0430l")).fields
    assert [word.word for word in field.mixed] == ["payp\u0430l"]


def test_a_hostile_review_is_shown_in_bounded_time() -> None:
    before = {f"k{number}": "ab " * 5000 + str(number) for number in range(100)}
    after = {key: "ba " * 5000 + key for key in before}
    started = time.monotonic()
    shown = view(before, after)
    assert len(shown.fields) == 100
    assert time.monotonic() - started < 6


def test_texts_beyond_a_page_are_cut_and_said_to_be() -> None:
    shown = view(body("x"), body("y" * (BODY_MAX + 10)))
    assert shown.body_cut
    assert shown.fields[0].cut
    assert not view(body("x"), body("y")).body_cut


def test_more_fields_than_are_listed_is_said() -> None:
    assert view(body("x", _meta={"a": 0}), body("x", _meta={f"k{n}": n for n in range(900)})).more_fields

"""What a review page shows: values in, runs and segments out, in bounded time."""

import json
from collections.abc import Sequence
from typing import Any

from tools.classify import ChangeClass
from tools.diff import Op
from tools.presentation import BODY_MAX, PAGE_MAX, RUNS_MAX, ReviewView, review_view, scopes_for


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


def test_many_large_fields_share_the_room_of_one_page_and_every_one_shows_its_beginning() -> None:
    before = {f"k{number:03}": f"{number} " + "ab " * 5000 for number in range(100)}
    after = {key: f"{key} " + "ba " * 5000 for key in before}
    shown = view(before, after)
    assert len(shown.fields) == 100
    texts = [text for field in shown.fields for text in (field.before or "", field.after or "")]
    assert sum(map(len, texts)) <= PAGE_MAX + len(texts) * 500
    assert all(len(text) >= 500 for text in texts)
    assert shown.fields[-1].cut
    assert not shown.fields[0].cut


def test_what_a_page_labels_is_bounded_however_many_fields_hide_something() -> None:
    before = {f"k{number}": "b\u200b" * 2500 for number in range(20)}
    after = dict.fromkeys(before, "a\u202e" * 2500)
    fields = view(before, after).fields
    elements = sum(len(f.before_runs) + len(f.after_runs) + sum(len(s.runs) for s in f.segments) for f in fields)
    assert elements < RUNS_MAX + len(fields) * 10
    assert "\\u{202e}" in fields[-1].after_runs[-1].text


def test_a_diff_of_more_parts_than_a_page_has_room_for_is_one_side_against_the_other() -> None:
    odd = {f"k{number}": " ".join(f"kept{n} {n}x" for n in range(2000)) for number in range(12)}
    even = {key: " ".join(f"kept{n} {n}y" for n in range(2000)) for key in odd}
    parts = [len(field.segments) for field in view(odd, even).fields]
    assert sum(parts) < RUNS_MAX
    assert parts[-1] <= 100


def test_indentation_does_not_make_a_small_text_huge() -> None:
    deep = json.loads("[" * 60 + ",".join("1" * 50_000) + "]" * 60)
    shown = view(body("x"), body("x", _meta={"a": deep}))
    assert shown.body_cut
    assert shown.fields[0].cut
    assert len(shown.fields[0].after or "") == BODY_MAX


def test_two_texts_that_look_the_same_as_far_as_they_are_shown_are_said_to_differ() -> None:
    same = "x" * BODY_MAX
    (field,) = view(body(f"{same}1"), body(f"{same}2")).fields
    assert field.cut
    assert [part.op for part in field.segments] == [Op.SAME, Op.ADDED]
    assert "not shown" in field.segments[1].text


def test_texts_beyond_a_page_are_cut_and_said_to_be() -> None:
    shown = view(body("x"), body("y" * (BODY_MAX + 10)))
    assert shown.body_cut
    assert shown.fields[0].cut
    assert not view(body("x"), body("y")).body_cut


def test_more_fields_than_are_listed_is_said() -> None:
    assert view(body("x", _meta={"a": 0}), body("x", _meta={f"k{n}": n for n in range(900)})).more_fields


def test_the_scopes_that_reach_a_definition_are_named_smallest_first() -> None:
    own = "mcp:files:tool:a%2Fb"
    assert scopes_for("files", "tool", "a/b", sensitive=False) == (own, "mcp:files:call")
    assert scopes_for("files", "tool", "a/b", sensitive=True) == (own,)
    assert scopes_for("files", "prompt", "p", sensitive=False) == ("mcp:files:prompt:p", "mcp:files:read")
    assert scopes_for("files", "card", "card", sensitive=False) == ()

"""What is read of an answer: all of a short one, the beginning and the end of a long one."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tools.scanner.excerpt import HEAD_MAX, TAIL_MAX, excerpt, short

MARK = "This is the one that counts."
FILLER = "All is well in the north. " * 4_000


def texts(result: dict[str, Any]) -> list[str]:
    """What is read."""
    return [place.text for place in excerpt(result).places]


def test_everything_of_a_short_answer_is_read_and_each_text_says_where_it_is() -> None:
    found = excerpt({"content": [{"type": "text", "text": MARK}], "structuredContent": {"a/b": {"c~": MARK}}, "n": 1})
    assert [(each.pointer, each.text) for each in found.places] == [
        ("/content/0/text", MARK),
        ("/structuredContent/a~1b/c~0", MARK),
    ]
    assert found.unread == 0
    assert excerpt({"a": "x" * HEAD_MAX}).unread == 0


def test_names_of_members_that_are_sentences_are_read() -> None:
    assert texts({"structuredContent": {MARK: 1, "short": 2}}) == [MARK]


def test_pictures_and_files_are_no_texts() -> None:
    assert texts({"content": [{"type": "image", "data": MARK}], "contents": [{"uri": "a:b", "blob": MARK}]}) == []
    assert texts({"structuredContent": {"type": "row", "data": MARK, "blob": MARK}}) == [MARK, MARK]


def test_a_short_secret_is_read_for_its_name() -> None:
    assert texts({"password": "hunter2", "type": "text"}) == ["hunter2"]


def test_the_beginning_and_the_end_of_one_long_text_are_read_and_it_is_said_that_something_is_not() -> None:
    for said, is_read in ((MARK + FILLER, True), (FILLER + MARK, True), (FILLER + MARK + FILLER, False)):
        found = excerpt({"text": said})
        assert any(MARK in each.text for each in found.places) is is_read
        assert found.unread
        assert sum(len(each.text) for each in found.places) <= HEAD_MAX + TAIL_MAX


def test_of_many_texts_the_first_and_the_last_are_read() -> None:
    found = excerpt({"content": [{"text": "All is well."}] * 200_000 + [{"text": MARK}]})
    assert found.places[0].pointer == "/content/0/text"
    assert ("/content/200000/text", MARK) in [(each.pointer, each.text) for each in found.places]
    assert found.unread
    assert len(found.places) < 10_000


def test_what_follows_on_a_text_that_was_cut_is_read_and_nothing_twice() -> None:
    found = excerpt({"a": FILLER, "b": MARK, "c": "x" * 100})
    assert [each.pointer for each in found.places] == ["/a", "/c", "/b", "/a"]
    head, tail = found.places[0].text, found.places[-1].text
    assert FILLER.startswith(head)
    assert FILLER.endswith(tail)
    assert len(head) + len(tail) <= len(FILLER)
    short = "x" * (HEAD_MAX + 100)
    assert "".join(texts({"a": short})) == short


def test_depth_is_no_matter() -> None:
    deep: Any = MARK
    for _ in range(5_000):
        deep = [deep]
    assert texts({"content": deep}) == [MARK]


def test_what_a_short_answer_says_is_told_apart_from_the_names_of_its_members() -> None:
    long = "a name that is a sentence"
    found = short({"content": [{"type": "text", "text": "a\nb"}], "n": 1, long: [["c", "1", None]]}, 100)
    assert found is not None
    text, names = found
    assert sorted(text.split("\n")) == ["1", "a", long, "b", "c", "text"]
    assert names == {"content", "type", "text", "n", long}
    assert short({}, 100) == ("", set())


def test_what_says_more_or_has_more_members_is_not_short() -> None:
    assert short({"a": "x" * 100}, 100) is not None
    assert short({"a": "x" * 101}, 100) is None
    assert short({"a": "x" * 60, "b": ["x" * 60]}, 100) is None
    assert short({"x" * 101: 1}, 100) is None
    assert short({"a": ["x"] * 1_000_000}, 10_000_000) is None
    assert short({"a": dict.fromkeys(map(str, range(1_000)))}, 10_000_000) is None
    deep: Any = MARK
    for _ in range(5_000):
        deep = [deep]
    assert short({"content": deep}, 100) is None


JSON = st.recursive(
    st.none() | st.integers() | st.booleans() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=30), inner, max_size=4),
    max_leaves=15,
)


@given(
    st.dictionaries(st.sampled_from(["password", "data", "uri", "type", "x"]) | st.text(max_size=30), JSON, max_size=4)
)
def test_all_that_is_read_of_a_short_answer_is_in_it(result: dict[str, Any]) -> None:
    found = short(result, 1_000_000)
    assert found is not None
    text, names = found
    for place in excerpt(result).places:
        assert f"\n{place.text}\n" in f"\n{text}\n"
        assert place.parameter in [name[:24] for name in [*names, ""]]

"""Likeness sees through names and decoration, is bounded whatever the text is, and says nothing about next to nothing."""

import random
import time
from typing import Any

import pytest

from tools.likeness import LIKE_FROM, SKETCH_MAX, compare, features, folded_name, likeness, sketch

READ: dict[str, Any] = {
    "name": "read_file",
    "description": "Read the contents of a file from the workspace and return it as text.",
    "inputSchema": {
        "type": "object",
        "properties": {
            "path": {"type": "string", "description": "Where the file lies below the workspace"},
            "encoding": {"type": "string", "enum": ["utf-8", "latin-1"]},
        },
        "required": ["path"],
    },
}
WEATHER: dict[str, Any] = {
    "name": "weather",
    "description": "Tells how warm it is outside today, in metric units.",
    "inputSchema": {"type": "object", "properties": {"city": {"type": "string"}, "day": {"type": "string"}}},
}


def shared(first: dict[str, Any], second: dict[str, Any]) -> int:
    return len(set(sketch(first)) & set(sketch(second)))


def test_another_name_changes_neither_the_content_keys_nor_the_wording() -> None:
    renamed = {**READ, "name": "fetchDocument"}
    assert shared(READ, renamed) == len(sketch(READ)) - 1
    found = likeness(READ, renamed)
    assert (found.wording, found.schema) == (100, 100)
    assert found.name < 50 < LIKE_FROM <= found.overall


@pytest.mark.parametrize(
    "description",
    [
        "READ the Contents of a file, from the workspace -- and return it as text!",
        "Re\u200bad the con\u00adtents of a file from the work\u2060space and return it as text.",
        "R\u0435\u0430d th\u0435 cont\u0435nts of \u0430 fil\u0435 from th\u0435 w\u043erkspace and return it as text.",
        "Re\u0301ad the c\u00f6ntents of a file from the workspace and return it as text.",
        "\uff32ead the contents of a \ufb01le from the workspace and return it as text.",
        "Read the contents of a file from the workspace and return it as text.\U000e0041\U000e0042",
    ],
    ids=["case", "invisible", "look-alikes", "accents", "compatibility", "tags"],
)
def test_decoration_changes_nothing(description: str) -> None:
    decorated = {**READ, "description": description}
    assert sketch(decorated) == sketch(READ)
    assert likeness(READ, decorated).wording == 100


def test_key_order_changes_nothing() -> None:
    reversed_ = {key: READ[key] for key in reversed(READ)}
    reversed_["inputSchema"] = {key: READ["inputSchema"][key] for key in reversed(READ["inputSchema"])}
    assert sketch(reversed_) == sketch(READ)


def test_spelling_of_a_property_changes_nothing() -> None:
    snake, camel = ({**READ, "inputSchema": _with(name)} for name in ("file_path", "filePath"))
    assert likeness(snake, camel).schema == 100
    assert sketch(snake) == sketch(camel)


def test_a_reworded_definition_is_still_found_and_still_alike() -> None:
    reworded = {**READ, "description": READ["description"].replace("return it", "send it to our server")}
    assert shared(READ, reworded) >= 4
    assert LIKE_FROM <= likeness(READ, reworded).overall < 100


def test_other_arguments_under_another_name_do_not_hide_a_long_wording() -> None:
    moved = {"name": "zzz", "description": READ["description"], "inputSchema": _with("anything")}
    assert shared(READ, moved) >= 4
    assert likeness(READ, moved).overall >= LIKE_FROM


def test_a_text_that_was_added_to_does_not_hide_what_it_holds() -> None:
    words = " ".join(f"filling{number}" for number in range(40))
    added = {**READ, "name": "zzz", "description": f"{READ['description']} {words}"}
    assert likeness(READ, added).overall >= LIKE_FROM
    assert shared(READ, added) >= 3


def test_what_has_nothing_in_common_is_not_alike() -> None:
    assert likeness(READ, WEATHER).overall < 30
    assert shared(READ, WEATHER) == 0


def test_likeness_is_the_same_both_ways_and_whole_for_the_same() -> None:
    assert likeness(READ, WEATHER) == likeness(WEATHER, READ)
    same = likeness(READ, READ)
    assert {same.overall, same.name, same.wording, same.schema} == {100}


def test_a_changed_type_and_a_dropped_duty_show_in_the_schema_only() -> None:
    schema = {**READ["inputSchema"], "properties": {**READ["inputSchema"]["properties"], "path": {"type": "array"}}}
    found = likeness(READ, {**READ, "inputSchema": schema})
    assert found.schema < 100
    assert found.name == 100
    assert likeness(READ, {**READ, "inputSchema": {**READ["inputSchema"], "required": []}}).schema < 100


@pytest.mark.parametrize(
    "body",
    [
        {"name": "ping", "description": "Pings."},
        {
            "name": "ping",
            "description": "",
            "inputSchema": {"type": "object", "properties": {"id": {"type": "string"}}},
        },
        {"name": "x"},
        {},
        {"description": None, "inputSchema": 7, "arguments": "text"},
    ],
    ids=["two-words", "one-argument", "name-only", "empty", "malformed"],
)
def test_next_to_nothing_has_no_sketch_and_tells_nothing(body: dict[str, Any]) -> None:
    assert sketch(body) == []
    assert not features(body).telling


def test_prompts_resources_and_cards_are_compared_too() -> None:
    text = "Summarise what the given ticket says in three sentences."
    prompt = {"name": "a", "description": text, "arguments": [{"name": "ticketId", "description": "Which one"}]}
    assert likeness(prompt, {**prompt, "name": "b"}).schema == 100
    assert likeness(prompt, {**prompt, "arguments": [{"name": "other", "description": "Which one"}]}).schema == 0
    card = {"instructions": text, "serverInfo": {"name": "Tickets", "version": "1"}, "endpoint": "https://a.example/"}
    moved = {**card, "endpoint": "https://b.example/", "serverInfo": {"name": "tickets", "version": "2"}}
    assert sketch(card) == sketch(moved)
    assert likeness(card, moved).overall == 100


def test_text_without_spaces_between_words_is_compared_as_well() -> None:
    body = {"name": "a", "description": "\u8bfb\u53d6\u5de5\u4f5c\u533a\u4e2d\u7684\u6587\u4ef6\u5185\u5bb9"}
    assert likeness(body, {**body, "name": "b"}).overall == 80
    assert shared(body, {**body, "name": "b"}) >= 5


@pytest.mark.parametrize(
    ("first", "second"),
    [("read_file", "readFile"), ("read-file", "READ FILE"), ("r\u0435ad.file", "read\u200b_file")],
    ids=["camel", "case", "disguised"],
)
def test_names_are_folded(first: str, second: str) -> None:
    assert folded_name(first) == folded_name(second) == "readfile"


def test_keys_are_few_positive_and_fit_the_column() -> None:
    keys = sketch({**READ, "description": " ".join(f"w{number}" for number in range(5000))})
    assert 0 < len(keys) <= SKETCH_MAX
    assert all(0 <= key < 2**63 for key in keys)
    assert keys == sorted(set(keys))


def test_keys_are_the_same_for_ever() -> None:
    """Stored sketches are compared with those of tomorrow: another hash would part them from all that is known."""
    assert sketch(WEATHER)[:3] == KEYS_OF_WEATHER


def test_half_of_a_surrogate_pair_is_a_character() -> None:
    assert sketch({**READ, "description": "\ud800 one two three four five six"})


def _hostile() -> list[Any]:
    chance = random.Random(7)
    deep: dict[str, Any] = {"type": "string"}
    for _ in range(3000):
        deep = {"properties": {"a" * 100: deep}}

    def some(low: int, high: int) -> str:
        return "".join(chr(chance.randrange(low, high)) for _ in range(65_536))

    return [
        pytest.param({"description": "a " * 32_768}, id="one-letter-words"),
        pytest.param({"description": " ".join(str(chance.random()) for _ in range(4_000))}, id="random-words"),
        pytest.param({"description": "a" + some(0x300, 0x370)}, id="marks"),
        pytest.param({"description": "\ufdfa " * 32_768}, id="characters-that-become-eighteen"),
        pytest.param({"description": some(0x80, 0xD800)}, id="everything"),
        pytest.param({"description": "aA" * 32_768}, id="camels"),
        pytest.param({"description": "word " * 200_000}, id="megabyte-of-text"),
        pytest.param({"inputSchema": {"properties": {f"k{n}": {"type": "string"} for n in range(40_000)}}}, id="keys"),
        pytest.param({"inputSchema": {"enum": ["x" * 100] * 9_000}}, id="megabyte-of-values"),
        pytest.param({"inputSchema": deep}, id="depth"),
        pytest.param({"name": "x" * 2048, "description": "one two three four five six"}, id="name"),
    ]


@pytest.mark.parametrize("body", _hostile())
def test_hostile_text_takes_bounded_time_and_space(body: dict[str, Any]) -> None:
    before = time.process_time()
    assert len(sketch(body)) <= SKETCH_MAX
    mine = features(body)
    found = compare(mine, features({**READ, **body}))
    assert time.process_time() - before < 2.0  # measured: 0.2 s at most
    assert 0 <= found.overall <= 100
    assert len(mine.wording) <= 1024
    assert len(mine.schema) <= 1024


def test_long_texts_are_sampled_alike() -> None:
    chance = random.Random(7)
    words = [f"word{chance.randrange(10**6)}" for _ in range(3000)]
    half = {"description": " ".join(words[:1500])}
    found = likeness({"description": " ".join(words)}, half)
    assert found.wording == pytest.approx(90, abs=4)  # all of the half is in the whole
    other = {"description": " ".join(words[:1500] + [f"other{number}" for number in range(1500)])}
    assert likeness({"description": " ".join(words)}, other).wording == pytest.approx(45, abs=6)


def _with(name: str) -> dict[str, Any]:
    properties = {name: {"type": "string"}, "mode": {"type": "string"}}
    return {"type": "object", "properties": properties, "required": [name]}


KEYS_OF_WEATHER = [1830283403306294771, 2325222051222937667, 2813855253925180669]

"""What a model is given of a definition, and the estimate of its tokens."""

import json

import pytest

from tools.prompted import TEXT_MAX, prompted, tokens


def test_a_model_gets_name_description_and_schema_and_nothing_else() -> None:
    body = {"name": "read", "title": "Reader", "description": "Reads.", "inputSchema": {"type": "object"}, "icons": [1]}
    assert prompted("tool", None, json.dumps(body)).text == 'read\nReads.\n{"type":"object"}'


def test_of_a_server_s_card_it_gets_the_instructions() -> None:
    assert (
        prompted("card", None, json.dumps({"instructions": "Be kind.", "serverInfo": {"name": "x"}})).text == "Be kind."
    )


@pytest.mark.parametrize(("text", "count"), [("", 0), ("a", 1), ("abcd", 1), ("abcde", 2)])
def test_four_characters_are_about_a_token(text: str, count: int) -> None:
    assert tokens(text) == count


def test_it_says_how_much_more_a_change_takes() -> None:
    before, after = (json.dumps({"name": "read", "description": "x" * n}) for n in (35, 75))
    found = prompted("tool", before, after)
    assert (found.before, found.tokens, found.more) == (10, 20, 10)
    assert prompted("tool", after, before).more == -10
    assert prompted("tool", None, after).more == 20


def test_a_text_that_was_let_go_is_nothing() -> None:
    found = prompted("tool", json.dumps({"name": "read"}), "")
    assert (found.text, found.tokens, found.more) == ("", 0, -1)


def test_a_long_text_is_cut_and_counted_whole() -> None:
    found = prompted("tool", None, json.dumps({"name": "n", "description": "x" * TEXT_MAX * 2}))
    assert found.cut
    assert len(found.text) == TEXT_MAX
    assert found.tokens > TEXT_MAX // 2 - 1

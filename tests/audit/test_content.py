import hashlib
import json
from typing import Any

import pytest

from audit.content import LIMITS, Content, content_of, decoded, encoded
from audit.redaction import Capture, Do, Fields, Rule

DATA = b'{"name":"search","arguments":{"q":"ada","n":1.50, "big":123456789012345678901234567890}}'


def kept(data: bytes, *rules: tuple[str, Do]) -> Content:
    lines = tuple(Rule("arguments", pointer, do) for pointer, do in rules)
    return content_of("arguments", data, Capture(True, True, rules=lines).of("arguments", "search"), marked)


def marked(value: bytes) -> str:
    return hashlib.md5(value, usedforsecurity=False).hexdigest()


def test_what_needs_no_change_is_kept_byte_for_byte() -> None:
    assert kept(DATA) == Content("exact", DATA)
    assert kept(b"") == Content("exact", b"")


def test_a_secret_is_left_out_whatever_the_policy_says() -> None:
    secret = "ghp_" + "a1" * 18
    data = json.dumps({"name": "push", "arguments": {"url": f"see {secret}", "password": "x"}}).encode()
    for rules in ((), (("/arguments", Do.ENCRYPT),)):
        found = kept(data, *rules)
        assert (found.form, found.secrets) == ("changed", 2)
        assert secret.encode() not in found.data
        assert json.loads(found.data)["name"] == "push"


def test_a_secret_that_is_escaped_in_the_bytes_is_left_out_too() -> None:
    data = b'{"name":"x","arguments":{"a":"\\u0067hp_' + b"a1" * 18 + b'"}}'
    assert kept(data).secrets == 1


def test_a_value_that_can_be_looked_for_stands_as_its_mark() -> None:
    def value(content: Content) -> Any:
        return json.loads(content.data)["arguments"]["q"]

    found = kept(DATA, ("/arguments/q", Do.HMAC))
    assert value(found) == f"[hmac: {marked(b'ada')}]"
    assert b"123456789012345678901234567890" in found.data
    assert kept(DATA, ("", Do.DROP)) == Content("changed", b"")


def test_what_is_too_long_is_kept_as_its_hash_alone() -> None:
    fields: Fields = Capture(result=True).of("result", "x")
    data = b'{"text":"' + b"x" * LIMITS["result"] + b'"}'
    found = content_of("result", data, fields, marked)
    assert found == Content("too_long", sha256=hashlib.sha256(data).hexdigest())
    assert content_of("result", data[:-20] + b'"}', fields, marked).form == "exact"


@pytest.mark.parametrize("form", ["exact", "changed", "too_long"])
def test_a_content_is_read_back_as_it_was_written(form: Any) -> None:
    content = Content(form, b'{"a":"\n"}', 3, "ab")
    assert decoded(encoded(content)) == content


@pytest.mark.parametrize("wrong", [b"", b"{}", b'{"form":"other"}\n', b"\xff\n"])
def test_what_is_no_content_is_refused(wrong: bytes) -> None:
    with pytest.raises(ValueError, match="no content"):
        decoded(wrong)

import json
from io import BytesIO
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.proof import bundle
from audit.proof.bundle import BundleError, Header
from audit.proof.findings import Entry
from core.canonical import canonical_bytes
from tests.audit.made_log import a_log, replaced

HASH = st.binary(min_size=32, max_size=32)
ID = st.uuids().map(lambda found: str(found).encode())
HOSTILE = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(
    ['"body":', '"body":null}', "}\n", '\\"body\\":', "\x1b[31m", "\u202e", "\r\n", "\u2028", '{"body":{}}', "\0"]
)
BODIES = st.dictionaries(HOSTILE, HOSTILE | st.dictionaries(HOSTILE, HOSTILE, max_size=2), max_size=4).map(
    canonical_bytes
)
GATEWAY = st.tuples(ID, st.integers(1, 2**63 - 1), HASH, st.binary(min_size=36, max_size=36))
PLACE = st.tuples(st.integers(0, 2**63 - 1), st.integers(0, 2**31 - 1), ID)


def entry(place: Any, rest: Any, leaf: bytes, body: bytes) -> Entry:
    return (*place, *rest, leaf, body)


ENTRIES = st.builds(entry, PLACE, GATEWAY, HASH, BODIES) | st.builds(
    entry,
    PLACE,
    st.tuples(st.none(), st.none(), st.none(), st.binary(min_size=36, max_size=36) | st.none()),
    HASH,
    BODIES,
)


def read_back(*lines: bytes) -> list[Entry]:
    return list(bundle.entries(lines))


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(ENTRIES, max_size=3))
def test_what_is_written_is_read_again(entries: list[Entry]) -> None:
    lines = [bundle.line(each) for each in entries]

    assert read_back(*lines) == entries
    assert all(text.count(b"\n") == 1 for text in lines)
    for text, each in zip(lines, entries, strict=True):
        assert json.loads(text)["body"] == json.loads(each[8] or b"")


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(ENTRIES, st.lists(HASH, max_size=3).map(tuple))
def test_a_record_with_its_proof_is_read_again(one: Entry, proof: tuple[bytes, ...]) -> None:
    assert list(bundle.proved_entries([bundle.line(one, proof)])) == [(one, proof)]


@pytest.mark.parametrize(
    "without",
    [
        {"body": None},
        {"body": None, "chain": None, "mac": None},
        {"chain": None, "mac": None},
        {"leaf": None},
        {"mac": None},
    ],
)
@pytest.mark.parametrize("index", [0, 1])
def test_what_is_not_there_stays_away(index: int, without: dict[str, Any]) -> None:
    one = replaced(a_log().entries[index], **without)

    assert read_back(bundle.line(one)) == [one]


def test_a_line_is_what_the_documentation_says() -> None:
    control_plane, gateway, *_ = a_log().entries
    body = (gateway[8] or b"").decode()

    assert bundle.line(gateway).decode() == (
        f'{{"index":1,"shard":202611,"id":"{gateway[2].decode()}","writer":"{(gateway[3] or b"").decode()}","seq":1,'
        f'"chain":"{(gateway[5] or b"").hex()}","mac":"{(gateway[6] or b"").hex()}","leaf":"{(gateway[7] or b"").hex()}",'
        f'"body":{body}}}\n'
    )
    assert list(json.loads(bundle.line(control_plane))) == ["index", "shard", "id", "mac", "leaf", "body"]


def test_a_header_is_read_again_and_the_lines_follow_it() -> None:
    log = a_log()
    header = log.header(3, 7, 11)

    found, lines = bundle.read(BytesIO(log.export(3, 7, 11)))

    assert found == header == Header.parse(header.line())
    assert list(bundle.entries(lines)) == log.entries[3:7]
    assert header.consistency


HEADER = json.loads(a_log().header().line())
NO_HEADER: list[dict[str, Any]] = [
    {"format": "holdfast-audit/2"},
    {"kind": "everything"},
    {"kind": []},
    {"first": -1},
    {"first": "0"},
    {"first": True},
    {"end": 2**63},
    {"origin": None},
    {"checkpoint": 5},
    {"frontier": None},
    {"frontier": ["zz"]},
    {"frontier": [5]},
    {"consistency": ["00"]},
]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b"\n",
        b"[]\n",
        b"{}\n",
        b"no JSON\n",
        b"[" * 100_000 + b"\n",
        *(json.dumps(HEADER | change).encode() + b"\n" for change in NO_HEADER),
        json.dumps(HEADER).encode(),
    ],
)
def test_what_is_no_header_is_refused(text: bytes) -> None:
    with pytest.raises(BundleError):
        bundle.read(BytesIO(text))


GOOD = bundle.line(a_log().entries[1])
OTHER = bundle.line(a_log().entries[0])


@pytest.mark.parametrize(
    "text",
    [
        GOOD[:-1],
        GOOD[:-2],
        GOOD.replace(b"}\n", b"}\r\n"),
        GOOD[: GOOD.index(b'"body":')] + b"\n",
        b"\n",
        b"{}\n",
        b"null\n",
        GOOD.replace(b'"index":1', b'"index":"1"'),
        GOOD.replace(b'"index":1', b'"index":-1'),
        GOOD.replace(b'"index":1', b'"index":x'),
        GOOD.replace(b'"shard":202611', b'"shard":2147483648'),
        GOOD.replace(b'"seq":1', b'"seq":0'),
        GOOD.replace(b'"seq":1', b'"seq":9223372036854775808'),
        GOOD.replace(b'"writer":"0', b'"writer":"'),
        GOOD.replace(b'"writer":"0', b'"writer":"g'),
        GOOD.replace(b'"chain":"', b'"chain":"0'),
        GOOD.replace(b'"mac":"', b'"mac":"zz'),
        OTHER.replace(b'"id":"0', b'"id":"'),
        OTHER.replace(b'"id":"0', b'"id":"z'),
        OTHER.replace(b'"id":"', b'"id":5,"x":"'),
        OTHER.replace(b'"mac":"', b'"Mac":5,"mac":"zz'),
        OTHER.replace(b'"mac":"', b'"proof":{},"mac":"'),
        OTHER.replace(b'"mac":"', b'"proof":["00"],"mac":"'),
        bundle.line(replaced(a_log().entries[0], body=None, leaf=None)),
        b"[" * 60_000 + b'"body":{}}\n',
    ],
)
def test_what_is_no_record_is_refused_with_its_line(text: bytes) -> None:
    with pytest.raises(BundleError, match="line 3 is no record"):
        read_back(GOOD, text)


def test_a_line_without_an_end_is_not_read_into_memory() -> None:
    log = a_log()
    _, lines = bundle.read(BytesIO(log.header().line() + b"x" * 1_000_000))

    assert len(next(lines)) < 100_000


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=200))
def test_whatever_is_read_is_a_record_or_an_error(data: bytes) -> None:
    for text in (data + b"\n", GOOD[:-2] + data + b"}\n", data + GOOD):
        try:
            read_back(text)
        except BundleError:
            continue

"""Every format says what the record says, whatever its names hold; independent parsers read it back."""

import csv as csv_module
import io
import json
import os
import re
from pathlib import Path

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from audit.formats import cef, csv, otlp, syslog
from audit.formats.placed import Placed, placed
from audit.formats.visible import visible, within
from tests.audit.placing import HOSTILE, INSTALLATION, a_call, a_placed, everyday, hostile_calls

GOLDEN = Path(__file__).parent / "golden"
HOSTILE_CALLS = hostile_calls()


def compare(name: str, found: bytes) -> None:
    """With the file of that name; UPDATE_GOLDEN=1 writes it anew."""
    if os.environ.get("UPDATE_GOLDEN"):
        (GOLDEN / name).write_bytes(found)
    assert found == (GOLDEN / name).read_bytes()


def parsed_cef(line: str) -> tuple[list[str], dict[str, str]]:
    """Heads and extension of a line, by the specification and not by our writer."""
    assert line.startswith("CEF:")
    *heads, extension = re.split(r"(?<!\\)\|", line.removeprefix("CEF:"), maxsplit=7)
    starts = list(re.finditer(r"(?:^| )([A-Za-z0-9]+)=", re.sub(r"\\.", "__", extension)))
    ends = [found.start() for found in starts[1:]] + [len(extension)]
    pairs = {found[1]: extension[found.end() : end] for found, end in zip(starts, ends, strict=True)}
    plain = {"n": "\n", "r": "\r"}
    unescaped = {
        key: re.sub(r"\\(.)", lambda match: plain.get(match[1], match[1]), value) for key, value in pairs.items()
    }
    return [re.sub(r"\\(.)", r"\1", head) for head in heads], unescaped


def parsed_syslog(data: bytes) -> tuple[bytes, bytes]:
    """The first message of a stream as RFC 5425 frames it, and the rest."""
    length, _, rest = data.partition(b" ")
    return rest[: int(length)], rest[int(length) :]


@pytest.mark.parametrize("record", HOSTILE_CALLS, ids=lambda record: str(record.index))
def test_csv_reads_back_and_no_cell_is_a_formula(record: Placed) -> None:
    text = (csv.header() + csv.row(record)).decode()
    names, cells = csv_module.reader(io.StringIO(text, newline=""))
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d")) for cell in cells)
    found = {name: cell.removeprefix("'") for name, cell in zip(names, cells, strict=True)}
    for field in ("tool", "server", "agent", "reason", "intention", "error_class"):
        assert found[field] == record.said.get(field, "")
    assert found["index"] == str(record.index)
    assert found["leaf"] == record.hash.hex()
    assert json.loads(found["after"] or "null") == record.said.get("after")


def test_lists_are_words_where_they_can_be_and_json_otherwise() -> None:
    header = csv.header().decode().strip().split(",")
    cells = [
        csv_module.reader([csv.row(a_call(rule_ids=rules)).decode()]).__next__() for rules in (("a", "b"), ("a b",))
    ]
    place = header.index('"rule_ids"')
    assert [row[place] for row in cells] == ["a b", '["a b"]']


@pytest.mark.parametrize("record", HOSTILE_CALLS, ids=lambda record: str(record.index))
def test_cef_is_one_line_that_reads_back_and_holds_no_control_character(record: Placed) -> None:
    line = cef.line(record, installation=INSTALLATION)
    assert line.isprintable()
    heads, found = parsed_cef(line)
    assert heads == ["0", "Holdfast", "Holdfast", "0.1", "call.intended", "call.intended", "3"]
    whole = {"cs1": ("tool", 4000), "destinationServiceName": ("server", 1023), "msg": ("intention", 1023)}
    for key, (field, limit) in whole.items():
        # A line break has its own escape; what else is hidden is shown.
        assert found[key] == within(visible(record.said[field], but="\r\n"), limit)
    assert found["cs6"] == record.leaf
    assert found["externalId"] == record.said["id"]


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("203.0.113.7", {"src": "203.0.113.7"}),
        ("2001:db8::7", {"c6a2": "2001:db8::7", "c6a2Label": "Source IPv6 Address"}),
        ("not one", {}),
        ("", {}),
    ],
)
def test_cef_tells_addresses_apart(address: str, expected: dict[str, str]) -> None:
    _, found = parsed_cef(cef.line(a_call(client_ip=address), installation=INSTALLATION))
    assert {key: value for key, value in found.items() if key in ("src", "c6a2", "c6a2Label")} == expected


def test_syslog_frames_messages_that_hold_anything() -> None:
    stream = b""
    for record in HOSTILE_CALLS:
        text = cef.line(record, installation="ac me\n").encode()
        stream += syslog.framed(syslog.message(record, text, installation="ac me\n"))
    for record in HOSTILE_CALLS:
        message, stream = parsed_syslog(stream)
        head, _, text = message.partition(b" - CEF:")
        match = re.fullmatch(rb"<(\d+)>1 (\S+) (\S+) holdfast (\S+) (\S+)", head)
        assert match is not None
        assert match[1] == b"110"  # log audit, informational
        assert match[3] == b"ac_me_"
        assert match[5] == b"call.intended"
        assert parsed_cef(f"CEF:{text.decode()}")[1]["cs6"] == record.leaf
    assert stream == b""


@pytest.mark.parametrize("record", HOSTILE_CALLS, ids=lambda record: str(record.index))
def test_otlp_reads_back(record: Placed) -> None:
    sent = otlp.request([record], installation=INSTALLATION).SerializeToString()
    (resource,) = ExportLogsServiceRequest.FromString(sent).resource_logs
    (log,) = resource.scope_logs[0].log_records
    assert log.body.string_value.encode() == record.body
    assert log.trace_id.hex() == record.said["trace_id"]
    assert log.event_name == "call.intended"
    found = {pair.key: pair.value for pair in log.attributes}
    assert found["holdfast.tool"].string_value == record.said["tool"]
    assert found["holdfast.index"].int_value == record.index
    assert [item.string_value for item in found["holdfast.rule_ids"].array_value.values] == ["grant-1"]
    line = json.loads(otlp.json_line(record, installation=INSTALLATION))
    written = line["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]
    assert written["traceId"] == record.said["trace_id"]
    assert written["body"]["stringValue"].encode() == record.body


@pytest.mark.parametrize("trace", ["", "0" * 32, "xyz", "0AF7651916CD43DD8448EB211C80319C"])
def test_what_is_no_trace_id_is_not_sent_as_one(trace: str) -> None:
    record = a_call(trace_id=trace)
    log = otlp.request([record], installation=INSTALLATION).resource_logs[0].scope_logs[0].log_records[0]
    assert log.trace_id == b""
    assert b'"traceId"' not in otlp.json_line(record, installation=INSTALLATION)


def test_a_refusal_is_a_warning_and_what_asks_for_a_person_an_error() -> None:
    logs = otlp.request(everyday(), installation=INSTALLATION).resource_logs[0].scope_logs[0].log_records
    assert [log.severity_text for log in logs] == ["INFO", "INFO", "WARN", "INFO", "ERROR"]


@pytest.mark.parametrize("body", [b"[]", b"{", b"\xff"])
def test_a_body_that_is_no_object_is_no_record(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 -- whose message is the parser's
        placed(index=0, shard=202611, hash=b"", body=body)


def test_text_is_cut_between_characters() -> None:
    assert within("漢字", 6) == "漢字"
    assert within("漢字漢", 7) == "漢…"
    assert all(visible(text).isprintable() for text in HOSTILE)


def test_golden_files() -> None:
    records = everyday()
    compare("records.csv", csv.header() + b"".join(csv.row(record) for record in records))
    compare("records.cef", "".join(cef.line(record, installation=INSTALLATION) + "\n" for record in records).encode())
    compare("records.otlp.jsonl", b"".join(otlp.json_line(record, installation=INSTALLATION) for record in records))


def test_a_record_of_a_release_without_writer_has_none() -> None:
    names = csv.header().decode().strip().replace('"', "").split(",")
    cells = next(csv_module.reader([csv.row(a_placed()).decode()]))
    assert dict(zip(names, cells, strict=True))["writer"] == ""

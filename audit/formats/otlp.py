"""OpenTelemetry logs: requests of the collector's logs service, as protobuf and as OTLP's JSON. Pure module."""

import json
import re
from collections.abc import Sequence
from typing import Any, Final

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs, SeverityNumber
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from audit.drafts import FIELDS
from audit.formats import PRODUCT_VERSION
from audit.formats.placed import Placed
from audit.formats.severity import severity

_LEVELS: Final = {
    "info": (SeverityNumber.SEVERITY_NUMBER_INFO, "INFO"),
    "warning": (SeverityNumber.SEVERITY_NUMBER_WARN, "WARN"),
    "alert": (SeverityNumber.SEVERITY_NUMBER_ERROR, "ERROR"),
}
_TRACE: Final = re.compile(r"(?!0{32})[0-9a-f]{32}\Z")
_IN_BODY_ONLY: Final = frozenset({"before", "after", "time"})  # details are in the body; the time has a field


def request(records: Sequence[Placed], *, installation: str) -> ExportLogsServiceRequest:
    """These records in one request."""
    resource = Resource(attributes=[_pair("service.name", "holdfast"), _pair("service.instance.id", installation)])
    scope = InstrumentationScope(name="holdfast.audit", version=PRODUCT_VERSION)
    logs = ScopeLogs(scope=scope, log_records=[_log_record(record) for record in records])
    return ExportLogsServiceRequest(resource_logs=[ResourceLogs(resource=resource, scope_logs=[logs])])


def json_line(record: Placed, *, installation: str) -> bytes:
    """One record as a line of OTLP's file format: its JSON writes trace ids in hexadecimal, unlike protobuf's."""
    said = MessageToDict(request([record], installation=installation), use_integers_for_enums=True)
    written = said["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]
    if "traceId" in written:
        written["traceId"] = record.text("trace_id")
    return json.dumps(said, ensure_ascii=False).encode() + b"\n"


def _log_record(record: Placed) -> LogRecord:
    number, text = _LEVELS[severity(record)]
    trace = record.text("trace_id")
    return LogRecord(
        time_unix_nano=record.time_ns,
        observed_time_unix_nano=record.time_ns,
        severity_number=number,
        severity_text=text,
        body=AnyValue(string_value=record.body.decode()),
        attributes=_attributes(record),
        trace_id=bytes.fromhex(trace) if _TRACE.match(trace) else b"",
        event_name=record.text("event"),
    )


def _attributes(record: Placed) -> list[KeyValue]:
    place = {"index": record.index, "leaf": record.leaf, "shard": record.shard}
    if record.writer is not None:
        place |= {"writer": str(record.writer), "seq": record.seq or 0}
    facts = {name: record.said[name] for name in FIELDS if name in record.said and name not in _IN_BODY_ONLY}
    return [_pair(f"holdfast.{name}", value) for name, value in {**place, **facts}.items()]


def _pair(key: str, value: Any) -> KeyValue:
    return KeyValue(key=key, value=_any(value))


def _any(value: Any) -> AnyValue:
    if isinstance(value, int) and not isinstance(value, bool):
        return AnyValue(int_value=value)
    if isinstance(value, list):
        return AnyValue(array_value=ArrayValue(values=[_any(item) for item in value]))
    return AnyValue(string_value=str(value))


def rejected(answer: bytes) -> int:
    """How many records a collector's answer says it did not take. Raises `ValueError` for what is no such answer."""
    try:
        return int(ExportLogsServiceResponse.FromString(answer).partial_success.rejected_log_records)
    except DecodeError as error:
        raise ValueError("no answer of a collector") from error

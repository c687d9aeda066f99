"""Kinds of sink, their states and what each takes. Pure module."""

from enum import StrEnum
from typing import Final

from audit.formats.writing import Format


class SinkKind(StrEnum):
    """How records are sent."""

    OTLP = "otlp"
    SYSLOG_TLS = "syslog_tls"
    WEBHOOK = "webhook"


class SinkState(StrEnum):
    """`stopped`: a record could not be written in the sink's format; a person has to look."""

    ACTIVE = "active"
    DISABLED = "disabled"
    STOPPED = "stopped"


FORMATS: Final = {
    SinkKind.OTLP: (Format.OTLP,),
    SinkKind.SYSLOG_TLS: (Format.CEF, Format.OCSF, Format.JSONL),
    SinkKind.WEBHOOK: (Format.OCSF, Format.JSONL),
}

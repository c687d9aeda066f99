"""One way to write a record in any of the formats, line by line. Pure module."""

from enum import StrEnum
from typing import Final

from audit.formats import cef, csv, jsonl, ocsf
from audit.formats.ocsf import Chain
from audit.formats.placed import Placed


class Format(StrEnum):
    """What a record can be written as."""

    CEF = "cef"
    CSV = "csv"
    JSONL = "jsonl"
    OCSF = "ocsf"
    OTLP = "otlp"


CONTENT_TYPES: Final = {
    Format.CEF: "text/plain; charset=utf-8",
    Format.CSV: "text/csv; charset=utf-8; header=present",
    Format.JSONL: "application/jsonl",
    Format.OCSF: "application/jsonl",
    Format.OTLP: "application/jsonl",
}
EXTENSIONS: Final = {
    Format.CEF: "cef",
    Format.CSV: "csv",
    Format.JSONL: "jsonl",
    Format.OCSF: "ocsf.jsonl",
    Format.OTLP: "otlp.jsonl",
}


class Lines:
    """Writes records as lines. `chain` goes on with every OCSF event, and stands still otherwise."""

    def __init__(self, form: Format, *, chain: Chain) -> None:
        self._form = form
        self.chain = chain

    def header(self) -> bytes:
        """What stands before the records: for CSV the names of the columns."""
        return csv.header() if self._form is Format.CSV else b""

    def line(self, record: Placed) -> bytes:
        """The record with its line's end. Raises what a formatter raises; then the chain has not moved."""
        installation = self.chain.authority
        match self._form:
            case Format.CEF:
                return cef.line(record, installation=installation).encode() + b"\n"
            case Format.CSV:
                return csv.row(record)
            case Format.JSONL:
                return jsonl.line(record)
            case Format.OTLP:
                from audit.formats import otlp  # protocol buffers, which a gateway has no use for

                return otlp.json_line(record, installation=installation)
            case Format.OCSF:
                made, chain = ocsf.attested(record, self.chain)
                text = ocsf.written(made) + b"\n"
                self.chain = chain
                return text

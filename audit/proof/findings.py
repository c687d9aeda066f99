"""What a verification reads and what it says. Pure."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Final

from audit.proof.checkpoint import Checkpoint

# index, shard, record id, writer, seq, chain, MAC, leaf hash, body. Ids are texts in bytes; only gateways' records have
# writer, seq and chain; the leaf hash is what was stored beside the body, and a body that is gone is None.
Entry = tuple[int, int, bytes, bytes | None, int | None, bytes | None, bytes | None, bytes | None, bytes | None]
KEPT: Final = 10_000  # findings of one verification that are kept; all are counted


class Kind(StrEnum):
    """What can be wrong, and below what is only worth knowing."""

    LEAF = "leaf"  # the body is not what the log has at this place
    MISSING = "missing"  # the log has a place for the record, and the record is gone
    INDEX = "index"  # a place is gone, or taken twice
    SEQUENCE = "sequence"  # a writer's number is gone, or taken twice
    CHAIN = "chain"  # the record does not follow the one before it of its writer
    MAC = "mac"  # the record was not made by who has the key
    UNKNOWN_KEY = "unknown key"  # the record names a key that was not given
    UNAUTHENTICATED = "unauthenticated"  # a record without a MAC where all have one
    BODY = "body"  # the body names another place than the one that it has
    ROOT = "root"  # the log is not the one that was signed
    CUT = "cut"  # the log is shorter than it was when it was signed
    COLUMN = "column"  # a search column says something else than the body
    UNPROVED = "unproved"  # an export's record that no checkpoint has and no MAC speaks for
    UNPLACED = "unplaced"  # a record that has no place although its time for one is over
    # Notices: no finding, but an auditor asks.
    INTENT = "intent"  # nothing says how the call ended
    OUTCOME = "outcome"  # the end of a call that had ended, or that never began
    UNCHECKED = "unchecked"  # a checkpoint that nothing here can be held against


SENTENCES: Final = {
    Kind.LEAF: "the body is not what the log has at this place",
    Kind.MISSING: "the log has a place for it, but the record is gone",
    Kind.INDEX: "the places in the log are not gapless",
    Kind.SEQUENCE: "the writer's numbers are not gapless",
    Kind.CHAIN: "it does not follow the record before it of its writer",
    Kind.MAC: "it was not made by who has the key",
    Kind.UNKNOWN_KEY: "it names a key that was not given",
    Kind.UNAUTHENTICATED: "it has no MAC, and it should",
    Kind.BODY: "the body names another place",
    Kind.ROOT: "the log is not the one that was signed",
    Kind.CUT: "the log is shorter than when it was signed",
    Kind.COLUMN: "a search column does not say what the body says",
    Kind.UNPROVED: "nothing proves it: neither a signed checkpoint nor a MAC that could be checked",
    Kind.UNPLACED: "the record has no place in the log",
    Kind.INTENT: "nothing says how this call ended",
    Kind.OUTCOME: "an end of a call that had ended, or that had not begun",
    Kind.UNCHECKED: "nothing here can be held against this checkpoint",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, and where."""

    kind: Kind
    index: int | None = None
    shard: int | None = None
    record: str = ""
    writer: str = ""
    seq: int | None = None
    expected: str = ""
    found: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"kind": self.kind.value, "means": SENTENCES[self.kind]}

    def __str__(self) -> str:
        where = [f"index {self.index}"] if self.index is not None else []
        where += [f"record {self.record}"] if self.record else []
        where += [f"shard {self.shard}"] if self.shard is not None else []
        where += [f"writer {self.writer}"] if self.writer else []
        where += [f"number {self.seq}"] if self.seq is not None else []
        differs = f" (expected {self.expected}, found {self.found})" if self.expected or self.found else ""
        return f"{self.kind.value}: {', '.join(where)}: {SENTENCES[self.kind]}{differs}"


def at(kind: Kind, entry: Entry, *, expected: str = "", found: str = "") -> Finding:
    """A finding about this entry; below 0 its index says that it has none."""
    index, shard, record, writer, seq, *_ = entry
    name = writer.decode("ascii", "replace") if writer is not None else ""
    return Finding(
        kind, index if index >= 0 else None, shard, record.decode("ascii", "replace"), name, seq, expected, found
    )


@dataclass(slots=True)
class Report:
    """What was verified, and how it went."""

    first: int = 0
    end: int = 0
    root: bytes | None = None
    records: int = 0
    authenticated: int = 0  # MACs that are right
    unauthenticated: int = 0  # records from before there were MACs
    unchecked: int = 0  # MACs for which no key was given
    pruned: int = 0
    count: int = 0  # of all findings
    findings: list[Finding] = field(default_factory=list)
    notices: list[Finding] = field(default_factory=list)
    matched: list[Checkpoint] = field(default_factory=list)

    def add(self, finding: Finding) -> None:
        """One more finding."""
        self.count += 1
        if len(self.findings) < KEPT:
            self.findings.append(finding)

    def notice(self, finding: Finding) -> None:
        """Something that is no finding."""
        if len(self.notices) < KEPT:
            self.notices.append(finding)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        numbers = ("first", "end", "records", "authenticated", "unauthenticated", "unchecked", "pruned")
        return {
            **{name: getattr(self, name) for name in numbers},
            "root": self.root.hex() if self.root is not None else None,
            "checkpoints": [{"origin": point.origin, "size": point.size} for point in self.matched],
            "findings_in_all": self.count,
            "findings": [finding.as_dict() for finding in self.findings],
            "notices": [notice.as_dict() for notice in self.notices],
        }

    def lines(self) -> Iterator[str]:
        """For people."""
        end = f"{self.first} to {self.end - 1}" if self.end > self.first else "none"
        proved = "a checkpoint that agrees proves their places, as far as it goes"
        places = proved if self.matched else "nothing proves them"
        yield f"{self.records} records (index {end}), {self.authenticated} of them authenticated by their MACs"
        for count, meaning in (
            (self.unauthenticated, f"records have no MAC, as before there were any: {places}"),
            (self.unchecked, "MACs not checked: no key was given"),
            (self.pruned, f"records were pruned, which the log says: {places}"),
        ):
            if count:
                yield f"{count} {meaning}"
        for point in self.matched:
            yield f"agrees with the checkpoint of {point.size} records of {point.origin}"
        yield from (f"NOTICE {notice}" for notice in self.notices)
        yield from (f"FINDING {finding}" for finding in self.findings)
        if self.count > len(self.findings):
            yield f"and {self.count - len(self.findings)} more findings"
        yield f"{self.count} findings" if self.count else "nothing found"

"""Verifies an export of the audit log where there is neither Holdfast nor its database: `python -m audit.verify`.

It needs this file, `audit/proof/` and the package `cryptography`. It ends with 0 where nothing was found, with 1 where
something was, with 2 where what it was given is not to be used.
"""

import argparse
import binascii
import json
import sys
from base64 import b64decode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from audit.proof import bundle, chain
from audit.proof.bundle import BundleError, Header
from audit.proof.checkpoint import Checkpoint, open_checkpoint
from audit.proof.findings import Finding, Kind, Report, at
from audit.proof.kept import Gone
from audit.proof.merkle import Frontier, verify_consistency, verify_inclusion
from audit.proof.note import NOTE_MAX, NoteError, VerifierKey
from audit.proof.tlog_proof import TlogProof
from audit.proof.verifier import Verifier

CLEAN, FOUND, UNUSABLE = range(3)
_KEY_BYTES: Final = 32
_KEYS_MAX: Final = 65_536
_CONTRADICTED: Final = (Kind.ROOT, Kind.CUT)


class Unusable(Exception):
    """What was given cannot be verified at all."""


@dataclass(frozen=True, slots=True)
class Trusted:
    """What the verification starts from: it came here by another way than the export."""

    vkeys: Sequence[VerifierKey] = ()
    audit_keys: Sequence[bytes] = ()
    checkpoints: Sequence[Checkpoint] = ()


def main(arguments: Sequence[str] | None = None) -> int:
    """Verify what the command line names and say what was found."""
    asked = _parser().parse_args(arguments)
    try:
        report = _verified(asked)
    except (Unusable, BundleError, NoteError, OSError) as error:
        print(f"not verified: {error}", file=sys.stderr)  # noqa: T201 -- a command's answer
        return UNUSABLE
    text = json.dumps(report.as_dict(), indent=2) if asked.json else "\n".join(report.lines())
    print(text.encode("ascii", "backslashreplace").decode())  # noqa: T201 -- a command's answer; ids may be hostile
    return FOUND if report.count else CLEAN


def verify_export(stream: BinaryIO, trusted: Trusted) -> Report:
    """Verify an export. Raises `BundleError`, `NoteError` or `Unusable`."""
    if not trusted.vkeys and not trusted.audit_keys:
        raise Unusable("there is nothing to verify it by: neither a verifier key nor an audit key was given")
    header, lines = bundle.read(stream)
    own = None
    if header.checkpoint and trusted.vkeys:
        own = open_checkpoint(header.checkpoint.encode(), trusted.vkeys, origin=header.origin or None)
    origins = {point.origin for point in trusted.checkpoints} | ({header.origin} if header.origin else set())
    if len(origins) > 1:
        raise Unusable(f"checkpoints and export are of different logs: {', '.join(sorted(origins))}")
    if header.kind == bundle.SELECTION:
        return _verify_selection(header, lines, own, trusted)
    return _verify_range(header, lines, own, trusted)


def _verify_range(header: Header, lines: Iterator[bytes], own: Checkpoint | None, trusted: Trusted) -> Report:
    points = {*trusted.checkpoints, *([own] if own is not None else [])}
    try:
        tree = Frontier(header.first, header.frontier)
    except ValueError as error:
        raise Unusable(f"the header's frontier is none: {error}") from error
    verifier = Verifier(
        installation=header.installation,
        keys=trusted.audit_keys,
        checkpoints=[point for point in points if point.size <= header.end],
        tree=tree,
    )
    loose = _taken(verifier, lines)
    report = verifier.close()
    if report.end > header.end:
        raise Unusable(f"the export goes beyond the place where its header says that it ends, {header.end}")
    if report.end < header.end and not any(finding.kind is Kind.CUT for finding in report.findings):
        report.add(Finding(Kind.CUT, report.end, expected=f"up to {header.end}", found=f"up to {report.end}"))
    for point in sorted(points, key=lambda point: point.size):
        if point.size > header.end:
            _beyond(point, report, header, own)
    if own is None:
        report.notice(Finding(Kind.UNCHECKED, expected="a signed checkpoint", found="none in the export"))
    if not (points and any(finding.kind in _CONTRADICTED for finding in report.findings)):
        _say_what_nothing_proves(report, loose, trusted)
    return report


def _taken(verifier: Verifier, lines: Iterator[bytes]) -> Gone:
    """Verify these; answers those without MAC or body that no checkpoint has, as far as the export itself goes."""
    report, loose = verifier.report, Gone()
    bare, matched = 0, len(report.matched)
    for number, line in enumerate(lines, start=bundle.FIRST_LINE):
        if verifier.take_line(line):
            continue
        verifier.take(entry := bundle.entry(line, number))
        if entry[8] is None or report.unauthenticated > bare:
            bare = report.unauthenticated
            loose.add(entry)
        if len(report.matched) > matched:
            matched, loose = len(report.matched), Gone()
    return loose


def _say_what_nothing_proves(report: Report, loose: Gone, trusted: Trusted) -> None:
    """Records behind the last checkpoint are as good as their MACs. Raises `Unusable` where none covers anything."""
    sizes = [point.size for point in report.matched]
    covers_some = any(size > report.first or size == report.end for size in sizes)
    if trusted.vkeys and not report.count and not covers_some:
        raise Unusable("no checkpoint that a --vkey signed covers it: it is older than its first one, or made up")
    covered = max(sizes, default=0)
    if covered >= report.end:
        return
    for entry in loose.entries:
        report.add(at(Kind.UNPROVED, entry))
    report.count += loose.count - len(loose.entries)
    if not trusted.audit_keys:
        expected = f"a checkpoint of {report.end} records"
        report.add(Finding(Kind.UNPROVED, max(covered, report.first), expected=expected, found=f"of {covered}"))


def _beyond(point: Checkpoint, report: Report, header: Header, own: Checkpoint | None) -> None:
    """A checkpoint of more records than the export has."""
    if point == own:
        if report.root is None:
            return  # places are missing, which has been told
        sizes = {"first": report.end, "second": point.size}
        if verify_consistency(**sizes, proof=header.consistency, first_root=report.root, second_root=point.root):
            report.matched.append(point)
        else:
            found = f"{report.root.hex()} for {report.end}, and no proof that one goes on from the other"
            report.add(Finding(Kind.ROOT, report.end - 1, expected=point.root.hex(), found=found))
    elif own is not None and point.size < own.size:
        report.notice(Finding(Kind.UNCHECKED, expected=f"{point.size} records", found=f"ends at {header.end}"))
    else:
        report.add(Finding(Kind.CUT, header.end, expected=f"{point.size} records", found=f"{header.end} records"))


def _verify_selection(header: Header, lines: Iterator[bytes], own: Checkpoint | None, trusted: Trusted) -> Report:
    if own is None:
        raise Unusable("a selection is proved by its checkpoint: it has none, or no verifier key was given")
    verifier = Verifier(installation=header.installation, keys=trusted.audit_keys)
    report, root = verifier.report, own.root
    for entry, proof in bundle.proved_entries(lines):
        if entry[8] is None:
            raise Unusable(f"record {entry[0]} of the selection has no body")
        leaf = verifier.take_alone(entry)
        if not verify_inclusion(leaf=leaf, index=entry[0], size=own.size, proof=proof, expected=root):
            report.add(at(Kind.ROOT, entry, expected=f"in the first {own.size} records", found="not proved"))
    report.matched.append(own)
    _hold_against_others(own, report, trusted)
    return report


def verify_proof(body: bytes, proof: bytes, trusted: Trusted) -> Report:
    """Verify one record's proof. Raises `Unusable` without a verifier key, `NoteError` where it proves nothing."""
    if not trusted.vkeys:
        raise Unusable("a proof is worth the signature of its checkpoint: give --vkey")
    parsed = TlogProof.parse(proof)
    point = parsed.verified(chain.leaf(body), trusted.vkeys)
    report = Report(first=parsed.index, end=parsed.index + 1, records=1, root=point.root, matched=[point])
    _hold_against_others(point, report, trusted)
    return report


def _hold_against_others(own: Checkpoint, report: Report, trusted: Trusted) -> None:
    """Single records go with no checkpoint but their own: another of its size agrees with it or does not."""
    for point in trusted.checkpoints:
        if (point.origin, point.size) != (own.origin, own.size):
            found = f"one of {own.size} of {own.origin}"
            report.notice(Finding(Kind.UNCHECKED, expected=f"{point.size} records of {point.origin}", found=found))
        elif point.root != own.root:
            report.add(Finding(Kind.ROOT, own.size - 1, expected=point.root.hex(), found=own.root.hex()))


def read_audit_keys(text: str) -> tuple[bytes, ...]:
    """Keys in base64, with commas or line ends between them. Raises `Unusable`, which does not repeat them."""
    try:
        keys = tuple(b64decode(word, validate=True) for word in text.replace(",", " ").split())
    except (binascii.Error, ValueError) as error:
        raise Unusable("the audit key is not base64") from error
    if not keys or any(len(key) != _KEY_BYTES for key in keys):
        raise Unusable(f"an audit key has {_KEY_BYTES} bytes")
    return keys


def _verified(asked: argparse.Namespace) -> Report:
    vkeys = [VerifierKey.parse(text) for text in asked.vkey]
    keys = read_audit_keys(_text(asked.audit_key_file)) if asked.audit_key_file else ()
    if not vkeys and not keys:
        raise Unusable("there is nothing to verify it by: give --vkey, --audit-key-file or both")
    if asked.checkpoint and not vkeys:
        raise Unusable("a checkpoint is worth its signature: give --vkey")
    points = [open_checkpoint(_limited(name, NOTE_MAX), vkeys) for name in asked.checkpoint]
    trusted = Trusted(vkeys, keys, points)
    with _opened(asked.export) as stream:
        if asked.proof:
            return verify_proof(stream.read(_KEYS_MAX), _limited(asked.proof, NOTE_MAX), trusted)
        return verify_export(stream, trusted)


@contextmanager
def _opened(name: str) -> Iterator[BinaryIO]:
    if name == "-":
        yield sys.stdin.buffer
        return
    with Path(name).open("rb", buffering=1 << 20) as stream:
        yield stream


def _limited(name: str, most: int) -> bytes:
    with Path(name).open("rb") as stream:
        return stream.read(most)


def _text(name: str) -> str:
    try:
        return _limited(name, _KEYS_MAX).decode("ascii")
    except UnicodeDecodeError as error:
        raise Unusable("the audit key is not base64") from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m audit.verify", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("export", metavar="EXPORT", help="an export in JSON lines; - reads standard input")
    parser.add_argument("--vkey", action="append", default=[], help="verifier key of the checkpoints; more than once")
    parser.add_argument("--checkpoint", action="append", default=[], metavar="FILE", help="a checkpoint kept elsewhere")
    parser.add_argument("--audit-key-file", metavar="FILE", help="the AUDIT_KEY: records' MACs are checked as well")
    parser.add_argument("--proof", metavar="FILE", help="a .tlog-proof; EXPORT is then the body of its record")
    parser.add_argument("--json", action="store_true", help="answer in JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())

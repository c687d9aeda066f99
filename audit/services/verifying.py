"""Holding the database's log against itself, its keys and every checkpoint that is at hand, and keeping what was found.

What an earlier verification found is in the same database as the log: going on from it says nothing against who wrote
to both. That is for a full verification against checkpoints from outside, and for `python -m audit.verify` elsewhere.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from audit.comparing import differences
from audit.events import Event, RecordType
from audit.models import Checkpoint as SignedCheckpoint
from audit.models import Leaf, Verification
from audit.placement import Judge, chained_at
from audit.proof.chain import leaf
from audit.proof.checkpoint import Checkpoint, open_checkpoint, parse_checkpoint
from audit.proof.findings import Entry, Finding, Kind, Report, at
from audit.proof.merkle import Frontier
from audit.proof.note import NoteError, VerifierKey, parsed
from audit.proof.verifier import Verifier
from audit.services.reading import head_of, placed_entries, placed_rows, signed_notes, unplaced_entries
from audit.services.recording import record
from core.actor import Actor

EARLIER: Final = "an earlier verification"  # stands where a checkpoint names its log


def verify_log(
    *,
    actor: Actor,
    is_full: bool,
    checkpoints: Sequence[Checkpoint] = (),
    vkeys: Sequence[VerifierKey] = (),
) -> Report:
    """Verify the log from its beginning, or from where the last verification ended, and keep the result.

    `checkpoints` came from outside; `vkeys`, where given, must have signed those that the database holds. A finding
    that the last verification did not have is put on record.
    """
    last = Verification.objects.going_on()
    tree = Frontier.from_bytes(bytes(last.frontier or b"")) if last is not None and not is_full else Frontier()
    points = [*checkpoints, *(point for point in _of_the_database(vkeys, tree.size) if point.size > tree.size)]
    if last is not None and is_full:
        points.append(_as_checkpoint(last))
    verifier = Verifier(
        installation=settings.INSTALLATION_ID,
        keys=settings.AUDIT_KEYS,
        checkpoints=points,
        tree=tree,
        head_of=head_of,
        chained=_is_chained(tree.size),
    )
    for entry in placed_entries(tree.size):
        verifier.take(entry)
    if is_full:
        _take_unplaced(verifier)
    report = verifier.close()
    if (there := Leaf.objects.head() + 1) < tree.size:
        expected = f"{tree.size} records, as at {EARLIER}"
        report.add(Finding(Kind.CUT, there, expected=expected, found=f"{there} records"))
    for finding in _columns(tree.size):
        report.add(finding)
    _keep(actor, report, is_full=is_full, tree=verifier.tree())
    return report


def _is_chained(size: int) -> bool:
    """Whether it was said before the place `size` that no release without MACs writes any more.

    What is said behind it the verifier reads when its turn comes.
    """
    boundary = chained_at(Judge(settings.AUDIT_KEYS, settings.INSTALLATION_ID)) if size else None
    return boundary is not None and boundary < size


def _of_the_database(vkeys: Sequence[VerifierKey], size: int) -> Iterator[Checkpoint]:
    """What was signed last, under the name that the log has now: an earlier name's log may have ended otherwise.

    Of more than `size` records, and no more of them than `signed_notes` answers.
    """
    newest = SignedCheckpoint.objects.order_by("-pk").first()
    if newest is None:
        return
    for note in signed_notes(newest.origin, size):
        try:
            yield open_checkpoint(note.encode(), vkeys) if vkeys else parse_checkpoint(parsed(note.encode()).text)
        except NoteError:
            # Whoever writes to the table can put anything there: it can only be held against the log, and is.
            yield Checkpoint(f"{newest.origin}, with a note that is none", newest.size, b"")


def _as_checkpoint(last: Verification) -> Checkpoint:
    tree = Frontier.from_bytes(bytes(last.frontier or b""))
    return Checkpoint(EARLIER, tree.size, tree.root())


def _take_unplaced(verifier: Verifier) -> None:
    for entry, is_lost in unplaced_entries():
        if is_lost:
            verifier.report.add(at(Kind.UNPLACED, entry))
        else:
            verifier.take_alone(entry)


def _columns(first: int) -> Iterator[Finding]:
    """Where search columns say something else than the body. A body that is not the leaf's has been told."""
    for index, shard, hashed, body, row in placed_rows(first):
        if leaf(body) != hashed:
            continue
        said = differences(body, row)
        copies = [(f"leaf.{name}", row[name], row[f"leaf.{name}"]) for name in ("writer", "seq")]
        said += [(name, ascii(right), ascii(copy)) for name, right, copy in copies if right != copy and not said]
        writer = str(row["writer"]).encode() if row["writer"] is not None else None
        entry: Entry = (index, shard, str(row["id"]).encode(), writer, row["seq"], None, None, None, None)
        for name, expected, found in said:
            yield at(Kind.COLUMN, entry, expected=f"{name} {expected}", found=f"{name} {found}")


def _keep(actor: Actor, report: Report, *, is_full: bool, tree: Frontier | None) -> None:
    first = report.findings[0].as_dict() if report.findings else None
    with transaction.atomic():
        known = Verification.objects.standing()
        Verification.objects.create(
            at=timezone.now(),
            is_full=is_full,
            first=report.first,
            until=report.end,
            records=report.records,
            authenticated=report.authenticated,
            unauthenticated=report.unauthenticated,
            pruned=report.pruned,
            count=report.count,
            finding=first,
            frontier=tree.to_bytes() if tree is not None else None,
        )
        if first is not None and (known is None or known.finding != first):
            record(
                type=RecordType.CHECKPOINT,
                event=Event.LOG_CONTRADICTED,
                actor=actor,
                reason=first["means"],
                after={name: first[name] for name in ("kind", "index", "shard", "record", "writer", "seq")}
                | {"findings": report.count},
            )

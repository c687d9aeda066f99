"""The log compared with its last checkpoint outside the database: before anything is placed or signed."""

from datetime import datetime
from typing import Final, NamedTuple

from audit.models import Checkpoint as SignedCheckpoint
from audit.proof.checkpoint import Checkpoint, open_checkpoint
from audit.proof.note import NoteError, parsed
from audit.sequencer.refusing import Alarms, RefusalCode, Refused
from audit.sequencer.setup import Setup
from audit.sequencer.tree import Tree

_READ_AGAIN: Final = 1_000_000  # leaves that a start reads again; with more it trusts the frontier that fits the root
_NEWEST: Final = 1000  # rows of the database that are looked at


def compared(setup: Setup, alarms: Alarms) -> tuple[Tree, bytes | None]:
    """The tree as far as it was signed, and the last note; without any, all leaves that there are. Raises `Refused`."""
    note = setup.state.read()
    tree = Tree()
    if note is None:
        # Whoever empties the table cannot reach the directory: what was signed is known by either of them.
        if SignedCheckpoint.objects.exists() or setup.state.has_signed():
            sentence = "the log has checkpoints, but the state file is gone: bring it back, or adopt a checkpoint"
            raise Refused(RefusalCode.NO_STATE, sentence)
        tree.read_to(None)
        return tree, None
    kept = opened(setup, note)
    newer = _newer(setup, kept.size, alarms)
    tree = _grown_to(setup, kept)
    if newer:
        # Another host led meanwhile, with our key: what it signed is ours to go on from, and to send on.
        follow(tree, newer[-1].checkpoint)
        note = newer[-1].note
        setup.state.keep(note)
        for each in newer:
            setup.state.append(each.note, each.signed_at)
    return tree, note


def opened(setup: Setup, note: bytes) -> Checkpoint:
    """What a note of ours says. Raises `Refused`."""
    try:
        checkpoint = open_checkpoint(note, setup.verifiers)
    except NoteError as error:
        code = RefusalCode.OTHER_KEY if is_note(note) else RefusalCode.UNREADABLE
        raise Refused(code, f"the last checkpoint cannot be verified with the signing key: {error}") from error
    if checkpoint.origin != setup.origin:
        sentence = f"the last checkpoint is of the log '{checkpoint.origin}', and AUDIT_ORIGIN says '{setup.origin}'"
        raise Refused(RefusalCode.OTHER_ORIGIN, sentence)
    return checkpoint


def follow(tree: Tree, checkpoint: Checkpoint) -> None:
    """Read on to the checkpoint's size. Raises `Refused` unless the log has its root there."""
    tree.read_to(checkpoint.size)
    if tree.frontier.root() != checkpoint.root:
        sentence = f"the first {checkpoint.size} records of the log are not those that were signed"
        raise Refused(RefusalCode.ALTERED, sentence)


def _grown_to(setup: Setup, kept: Checkpoint) -> Tree:
    edge = setup.state.frontier() if kept.size > _READ_AGAIN else None
    if edge is not None and edge.size == kept.size and edge.root() == kept.root:
        return Tree(edge)
    tree = Tree()
    follow(tree, kept)
    return tree


class _Signed(NamedTuple):
    note: bytes
    checkpoint: Checkpoint
    signed_at: datetime


def _newer(setup: Setup, size: int, alarms: Alarms) -> list[_Signed]:
    """Checkpoints of ours in the database that the state file does not know, the largest last."""
    rows = SignedCheckpoint.objects.filter(origin=setup.origin, size__gt=size).order_by("-size")
    found, forged = [], 0
    for text, signed_at in rows.values_list("note", "signed_at")[:_NEWEST]:
        try:
            checkpoint = open_checkpoint(text.encode(), setup.verifiers, origin=setup.origin)
        except NoteError:
            forged += 1
            continue
        if checkpoint.size > size:
            found.append(_Signed(text.encode(), checkpoint, signed_at))
    if forged:
        alarms.sound("checkpoint.forged", setup.origin, f"{forged} checkpoints in the database are not signed by us")
    return sorted(found, key=lambda each: each.checkpoint.size)


def is_note(note: bytes) -> bool:
    """Whether it can be read at all, whoever signed it."""
    try:
        parsed(note)
    except NoteError:
        return False
    return True

"""The log compared with its last checkpoint outside the database: before anything is placed or signed."""

from typing import Final

from audit.models import Checkpoint as SignedCheckpoint
from audit.proof.checkpoint import Checkpoint, open_checkpoint
from audit.proof.note import NoteError, parsed
from audit.sequencer.refusing import Alarms, RefusalCode, Refused
from audit.sequencer.setup import Setup
from audit.sequencer.tree import Tree

_READ_AGAIN: Final = 1_000_000  # leaves that a start reads again; with more it trusts the frontier that fits the root
_NEWEST: Final = 20  # rows of the database that are looked at


def compared(setup: Setup, alarms: Alarms) -> tuple[Tree, bytes | None]:
    """The tree as far as it was signed, and the last note; without any, all leaves that there are. Raises `Refused`."""
    note = setup.state.read()
    tree = Tree()
    if note is None:
        if SignedCheckpoint.objects.exists():
            sentence = "the log has checkpoints, but the state file is gone: bring it back, or adopt a checkpoint"
            raise Refused(RefusalCode.NO_STATE, sentence)
        tree.read_to(None)
        return tree, None
    kept = opened(setup, note)
    newer = _newer(setup, kept.size, alarms)
    tree = _grown_to(setup, kept)
    if newer is not None:
        # Another host led meanwhile, with our key: what it signed is ours to go on from.
        note, checkpoint = newer
        follow(tree, checkpoint)
        setup.state.keep(note)
    return tree, note


def opened(setup: Setup, note: bytes) -> Checkpoint:
    """What a note of ours says. Raises `Refused`."""
    try:
        checkpoint = open_checkpoint(note, setup.verifiers)
    except NoteError as error:
        code = RefusalCode.OTHER_KEY if _is_note(note) else RefusalCode.UNREADABLE
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


def _newer(setup: Setup, size: int, alarms: Alarms) -> tuple[bytes, Checkpoint] | None:
    rows = SignedCheckpoint.objects.filter(origin=setup.origin, size__gt=size).order_by("-id")
    found: tuple[bytes, Checkpoint] | None = None
    for pk, text in rows.values_list("id", "note")[:_NEWEST]:
        try:
            checkpoint = open_checkpoint(text.encode(), setup.verifiers, origin=setup.origin)
        except NoteError:
            alarms.sound("checkpoint.forged", f"row {pk}", f"checkpoint {pk} in the database is not signed by us")
            continue
        if checkpoint.size > size and (found is None or checkpoint.size > found[1].size):
            found = text.encode(), checkpoint
    return found


def _is_note(note: bytes) -> bool:
    try:
        parsed(note)
    except NoteError:
        return False
    return True

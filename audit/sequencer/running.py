"""The sequencer's round: lead, compare, place, sign. Each step can be called by itself."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from django.db import transaction
from django.utils import timezone

from audit import services
from audit.events import Event, RecordType
from audit.models import Checkpoint as SignedCheckpoint
from audit.placement import Placer, lead
from audit.proof.checkpoint import Checkpoint, sign_checkpoint
from audit.sequencer.chaining import Boundary
from audit.sequencer.comparing import follow, is_note, opened
from audit.sequencer.leading import Leadership, LostLeadership
from audit.sequencer.refusing import SYSTEM, Alarms, RefusalCode, Refused
from audit.sequencer.setup import Setup
from audit.sequencer.signing import Signer
from audit.sequencer.tree import Tree

logger = logging.getLogger(__name__)
_COMPARE_AGAIN: Final = 60.0  # seconds after a refusal
_BATCHES: Final = 20  # of one round


class Sequencer:
    """One process's."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self.alarms = Alarms(setup.origin)
        self.leadership = Leadership()
        self.placer = Placer(report=self.alarms.held)
        self.signer = Signer(setup, self.alarms)
        self.boundary = Boundary(self.placer)
        self.tree: Tree | None = None
        self.refusal: Refused | None = None
        self._compare_at = 0.0

    def place(self) -> None:
        """Place what waits, having compared the log with its last checkpoint before."""
        with self._watched():
            tree = self._ready()
            if tree is None:
                return
            self.placer.look()
            for _ in range(_BATCHES):
                held = self.placer.held()
                if not self._place_batch(tree) and self.placer.held() == held:
                    break

    def sign(self) -> None:
        """Sign the tree if it has grown since."""
        tree = self.tree
        if tree is None:
            return
        with self._watched(), transaction.atomic():
            if lead():
                self.leadership.confirm()
                # The table once more: what is signed is what is there now.
                self._take_in(tree)
                self.signer.sign(tree, self.leadership.epoch)

    def draw_boundary(self) -> None:
        """Look whether records without a MAC have come to their end."""
        if self.tree is not None:
            self.boundary.look()

    def forget(self) -> None:
        """The connection is gone: lead and compare again."""
        self.leadership.forget()
        self.tree = None

    def close(self) -> None:
        """Let another lead."""
        self.leadership.give_up()
        self.tree = None

    def _ready(self) -> Tree | None:
        if self.tree is None and time.monotonic() >= self._compare_at:
            if not self.leadership.epoch and not self.leadership.take():
                return None
            self.placer.forget()
            with transaction.atomic():
                if not lead():
                    return None
                self.leadership.confirm()
                tree = self.signer.begin()
                self.signer.tell_keys()
            self.tree, self.refusal = tree, None
            logger.info("leads the log of %s from record %d on", self._setup.origin, tree.size)
        return self.tree

    def _place_batch(self, tree: Tree) -> int:
        with transaction.atomic():
            if not lead():
                return 0
            self.leadership.confirm()
            taken_in = self._take_in(tree)
            hashes = self.placer.place(tree.size)
        # Not before the commit: the tree never holds more than the table.
        tree.added(hashes)
        return len(hashes) + taken_in

    def _take_in(self, tree: Tree) -> int:
        """What others placed: the release before us, or ourselves before a crash."""
        others = tree.look_beyond(self.placer.judge, bare_is_wrong=self.placer.is_chained)
        if others:
            tree.added(others)
            self.placer.forget()
        return len(others)

    @contextmanager
    def _watched(self) -> Iterator[None]:
        try:
            yield
        except Refused as refusal:
            self.refusal, self.tree = refusal, None
            self._compare_at = time.monotonic() + _COMPARE_AGAIN
            # A host with a better state may go on meanwhile.
            self.leadership.give_up()
            self.alarms.refused(refusal)
        except LostLeadership as lost:
            logger.warning("another sequencer leads: %s", lost)
            self.leadership.give_up()
            self.tree = None
        except BaseException:
            # What was rolled back is still in our memory of writers and tree.
            self.placer.forget()
            self.tree = None
            raise


def adopt(setup: Setup, note: bytes) -> Checkpoint:
    """Go on from a checkpoint that an operator kept. Raises `Refused` unless it is ours and the log has its root."""
    checkpoint = opened(setup, note)
    kept = setup.state.read()
    tree = Tree()
    if kept is not None and is_note(kept):
        before = opened(setup, kept)
        if before.size > checkpoint.size:
            raise Refused(RefusalCode.SHORTER, f"the state file holds a later checkpoint, of {before.size} records")
        follow(tree, before)
    follow(tree, checkpoint)
    services.record(
        type=RecordType.CHECKPOINT, event=Event.CHECKPOINT_ADOPTED, actor=SYSTEM, after={"note": note.decode()}
    )
    if kept is not None and not is_note(kept):
        setup.state.put_aside(timezone.now())
    setup.state.keep(note)
    return checkpoint


def begin_anew(setup: Setup) -> Checkpoint:
    """Begin another log over the records that are there, under a new origin: the way out after a restored backup.

    Its first record names the last checkpoint of the one before. Raises `Refused` where the origin is not new, or where
    the state file does not hold a checkpoint.
    """
    last = setup.state.read()
    if last is not None and not is_note(last):
        sentence = "the state file holds no checkpoint that can be read: bring it back, or move it away"
        raise Refused(RefusalCode.UNREADABLE, sentence)
    rows = SignedCheckpoint.objects
    if rows.filter(origin=setup.origin).exists() or (last and last.decode().startswith(f"{setup.origin}\n")):
        raise Refused(RefusalCode.OTHER_ORIGIN, f"the log '{setup.origin}' has begun already: AUDIT_ORIGIN must be new")
    text = last.decode() if last else rows.order_by("-pk").values_list("note", flat=True).first()
    tree = Tree()
    with transaction.atomic():
        if not lead():
            raise Refused(RefusalCode.NO_STATE, "another process leads: stop it first")
        tree.read_to(None)
        checkpoint = Checkpoint(setup.origin, tree.size, tree.frontier.root())
        services.record(
            type=RecordType.CHECKPOINT,
            event=Event.CHECKPOINT_ADOPTED,
            actor=SYSTEM,
            before={"note": text},
            after={"origin": setup.origin, "size": tree.size},
        )
        if last is not None:
            setup.state.put_aside(timezone.now())
        setup.state.keep(sign_checkpoint(checkpoint, *setup.keys))
    return checkpoint

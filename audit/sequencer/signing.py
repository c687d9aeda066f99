"""Signing what the tree is, in this order: state file, append-only file, row. What a crash left undone is done next."""

from datetime import datetime

from django.utils import timezone

from audit import services
from audit.events import Event, RecordType
from audit.models import Checkpoint as SignedCheckpoint
from audit.models import Record
from audit.proof.checkpoint import Checkpoint, sign_checkpoint
from audit.sequencer.comparing import compared, opened
from audit.sequencer.refusing import SYSTEM, Alarms, RefusalCode, Refused
from audit.sequencer.setup import Setup
from audit.sequencer.tree import Tree


class Signer:
    """Remembers what it signed last. Its methods run inside a transaction that holds the leader's lock."""

    def __init__(self, setup: Setup, alarms: Alarms) -> None:
        self._setup = setup
        self._alarms = alarms
        self.last: Checkpoint | None = None
        self.signed_at: datetime | None = None
        self._note: bytes | None = None
        self._is_complete = True

    def begin(self) -> Tree:
        """Compare the log with the last checkpoint; the tree to go on with. Raises `Refused`."""
        tree, self._note = compared(self._setup, self._alarms)
        self.last = None if self._note is None else opened(self._setup, self._note)
        self._is_complete = self._note is None
        return tree

    def sign(self, tree: Tree, epoch: int) -> None:
        """Sign the tree if it has grown. Raises `Refused` when the state file is not as we left it."""
        if self._setup.state.read() != self._note:
            raise Refused(RefusalCode.NO_STATE, "the state file was changed or removed while the sequencer ran")
        signed_at = timezone.now()
        try:
            if tree.size > (self.last.size if self.last else 0):
                self._sign(Checkpoint(self._setup.origin, tree.size, tree.frontier.root()))
            if not self._is_complete and self._note is not None and self.last is not None:
                self._setup.state.append(self._note, signed_at)
                self._setup.state.keep_frontier(tree.frontier)
                _keep_row(self.last, self._note, signed_at, epoch)
                self.signed_at, self._is_complete = signed_at, True
        except OSError as error:
            # Placing goes on: nothing contradicts what was signed, and people have to hear of this through the log.
            sentence = f"the state file or the append-only file cannot be written: {error.strerror}"
            self._alarms.refused(Refused(RefusalCode.STATE_UNWRITABLE, sentence))
        else:
            self._alarms.over(Event.CHECKPOINT_REFUSED.value)

    def _sign(self, checkpoint: Checkpoint) -> None:
        note = sign_checkpoint(checkpoint, *self._setup.keys)
        self._is_complete = False
        self._setup.state.keep(note)
        self._note, self.last = note, checkpoint

    def tell_keys(self) -> None:
        """On record, whose signatures count from now on, wherever that changed."""
        keys = [str(key) for key in self._setup.verifiers]
        said = Record.objects.filter(type=RecordType.CHECKPOINT.value, event=Event.CHECKPOINT_KEY_CHANGED.value)
        before = said.newest_first().values_list("after", flat=True).first()
        now = {"origin": self._setup.origin, "keys": keys}
        if before != now:
            services.record(
                type=RecordType.CHECKPOINT, event=Event.CHECKPOINT_KEY_CHANGED, actor=SYSTEM, before=before, after=now
            )


def _keep_row(checkpoint: Checkpoint, note: bytes, signed_at: datetime, epoch: int) -> None:
    text = note.decode()
    same = SignedCheckpoint.objects.filter(origin=checkpoint.origin, size=checkpoint.size, note=text)
    if not same.exists():
        SignedCheckpoint.objects.create(
            origin=checkpoint.origin, size=checkpoint.size, root=checkpoint.root, note=text, signed_at=signed_at,
            epoch=epoch,
        )  # fmt: skip

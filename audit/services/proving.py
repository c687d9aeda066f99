"""What an export needs so that it proves itself: the tree before it, and a checkpoint of the tree that it is in."""

from dataclasses import dataclass
from typing import Final

from audit.events import Event
from audit.models import Checkpoint, Leaf, Record
from audit.proof.merkle import Frontier, consistency_proof

_HASHES: Final = 10_000


@dataclass(frozen=True, slots=True)
class Signed:
    """A checkpoint, and RFC 6962's proof that its tree goes on from where the export ends."""

    origin: str = ""
    vkey: str = ""
    checkpoint: str = ""
    consistency: tuple[bytes, ...] = ()


def tree_before(end: int) -> Frontier:
    """The tree of the places up to `end`, which is not in it."""
    return _tree(0, end)


def last_signed() -> int:
    """How many places the last checkpoint signed; 0 without one."""
    newest = Checkpoint.objects.order_by("-id").first()
    return 0 if newest is None else newest.size


def signed_over(end: int) -> Signed:
    """The first checkpoint of the running log with at least `end` places; nothing where there is none yet."""
    newest = Checkpoint.objects.order_by("-id").first()
    if newest is None:
        return Signed()
    found = Checkpoint.objects.filter(origin=newest.origin, size__gte=end).order_by("size", "-id").first()
    if found is None:
        return Signed(origin=newest.origin, vkey=_vkey())
    proof = consistency_proof(end, found.size, _node)
    return Signed(found.origin, _vkey(), found.note, tuple(proof))


def _vkey() -> str:
    """Of the key that signs now, as the log says. Whoever verifies has it from elsewhere."""
    told = Record.objects.filter(event=Event.CHECKPOINT_KEY_CHANGED.value).newest_first()
    after = told.values_list("after", flat=True).first() or {}
    return str(next(iter(after.get("keys", ())), ""))


def _node(level: int, index: int) -> bytes:
    return _tree(index << level, (index + 1) << level).root()


def _tree(first: int, end: int) -> Frontier:
    """Over these leaves alone, a part of them at a time."""
    tree = Frontier()
    for begin in range(first, end, _HASHES):
        leaves = Leaf.objects.filter(index__gte=begin, index__lt=min(begin + _HASHES, end)).order_by("index")
        tree.extend(bytes(each) for each in leaves.values_list("hash", flat=True))
    return tree

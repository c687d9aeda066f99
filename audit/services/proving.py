"""What an export needs so that it proves itself: the tree before it, and a checkpoint of the tree that it is in."""

from dataclasses import dataclass
from typing import Final

from audit.events import Event
from audit.models import Checkpoint, Leaf, Record, Verification
from audit.proof.merkle import Frontier, NodeAt, complete_subtrees, consistency_proof, inclusion_proof

_HASHES: Final = 10_000
_TRIED: Final = 3  # verifications whose trees are looked at


@dataclass(frozen=True, slots=True)
class Signed:
    """A checkpoint over `size` places, and RFC 6962's proof that its tree goes on from where the export ends."""

    origin: str = ""
    vkey: str = ""
    checkpoint: str = ""
    consistency: tuple[bytes, ...] = ()
    size: int = 0


def tree_before(end: int) -> Frontier:
    """The tree of the places up to `end`, which is not in it: from where a verification of ours ended, if it fits."""
    tree = _verified(end)
    _extend(tree, end)
    return tree


def last_signed() -> int:
    """How many places the last checkpoint signed; 0 without one."""
    newest = Checkpoint.objects.order_by("-id").first()
    return 0 if newest is None else newest.size


def newest_signed() -> Signed:
    """The last checkpoint; nothing without one."""
    newest = Checkpoint.objects.order_by("-id").first()
    return Signed() if newest is None else Signed(newest.origin, _vkey(), newest.note, size=newest.size)


def signed_over(end: int) -> Signed:
    """The first checkpoint of the running log with at least `end` places; nothing where there is none yet."""
    newest = Checkpoint.objects.order_by("-id").first()
    if newest is None:
        return Signed()
    found = first_over(end, newest.origin)
    if found is None:
        return Signed(origin=newest.origin, vkey=_vkey())
    proof = consistency_proof(end, found.size, _nodes(end)) if end < found.size else []
    return Signed(found.origin, _vkey(), found.note, tuple(proof), found.size)


def first_over(end: int, origin: str) -> Checkpoint | None:
    """The first checkpoint of this log with at least `end` places: what is proved by it reads little beyond them."""
    return Checkpoint.objects.filter(origin=origin, size__gte=end).order_by("size", "-id").first()


def inclusion_of(index: int, size: int) -> list[bytes]:
    """RFC 6962's proof that the record at `index` is among the first `size`."""
    return inclusion_proof(index, size, _nodes(index))


def _vkey() -> str:
    """Of the key that signs now, as the log says. Whoever verifies has it from elsewhere."""
    told = Record.objects.filter(event=Event.CHECKPOINT_KEY_CHANGED.value).newest_first()
    after = told.values_list("after", flat=True).first() or {}
    return str(next(iter(after.get("keys", ())), ""))


def _nodes(end: int) -> NodeAt:
    """What of a proof lies before `end` are subtrees of the tree there: nobody reads the log for them."""
    known = dict(zip(complete_subtrees(0, end), tree_before(end).edge(), strict=True))

    def node_at(level: int, index: int) -> bytes:
        return known.get((level, index)) or _part(index << level, (index + 1) << level)

    return node_at


def _verified(end: int) -> Frontier:
    """The tree at the last verification that ended at or before `end`; the empty one where there is none that fits."""
    sound = Verification.objects.filter(frontier__isnull=False, count=0, until__gt=0, until__lte=end)
    for stored, until in sound.order_by("-pk").values_list("frontier", "until")[:_TRIED]:
        try:
            tree = Frontier.from_bytes(bytes(stored or b""))
        except ValueError:
            continue
        if tree.size == until and _fits(tree):
            return tree
    return Frontier()


def _fits(tree: Frontier) -> bool:
    """Whether the leaves under its last subtree are those of the log. One that lies all the same makes exports fail."""
    last = tree.size & -tree.size
    return last > _HASHES or _part(tree.size - last, tree.size) == tree.edge()[-1]


def _part(first: int, end: int) -> bytes:
    """The hash over these leaves alone."""
    tree = Frontier()
    _extend(tree, end, first)
    return tree.root()


def _extend(tree: Frontier, end: int, first: int | None = None) -> None:
    """By the leaves from `first`, or the tree's end, up to `end`, a part of them at a time."""
    for begin in range(tree.size if first is None else first, end, _HASHES):
        leaves = Leaf.objects.filter(index__gte=begin, index__lt=min(begin + _HASHES, end)).order_by("index")
        tree.extend(bytes(each) for each in leaves.values_list("hash", flat=True))

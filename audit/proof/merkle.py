"""The Merkle tree of RFC 6962, section 2.1, over leaf hashes: roots, proofs, and a frontier that grows leaf by leaf.

Proofs are ranges of leaves first and hashes afterwards, so that whoever holds only parts of the tree (a table of
leaves, stored tiles) makes them as well: `node_at(level, index)` gives the hash of a complete subtree.
"""

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from typing import Final

HASH_BYTES: Final = 32
_NODE: Final = sha256(b"\x01")
EMPTY: Final = sha256(b"").digest()  # the root of a tree without leaves
Range = tuple[int, int]  # leaves from the first number up to the second, which is not in it
NodeAt = Callable[[int, int], bytes]  # (level, index): the complete subtree over 2**level leaves


def node(left: bytes, right: bytes) -> bytes:
    """The hash over two subtrees."""
    hashing = _NODE.copy()  # to begin a hash takes longer
    hashing.update(left + right)
    return hashing.digest()


class Frontier:
    """A tree of which only the complete subtrees at its right edge are kept: at most one hash per bit of its size."""

    __slots__ = ("_edge", "size")

    def __init__(self, size: int = 0, edge: Iterable[bytes] = ()) -> None:
        """`edge`: the complete subtrees from left to right. Raises `ValueError` where they are not of that size."""
        self.size = size
        self._edge = list(edge)
        if size < 0 or len(self._edge) != size.bit_count() or any(len(part) != HASH_BYTES for part in self._edge):
            raise ValueError(f"no frontier of {size} leaves")

    def append(self, leaf: bytes) -> None:
        """One more leaf."""
        edge, size = self._edge, self.size
        self.size = size + 1
        while size & 1:
            hashing = _NODE.copy()  # `node`, without the call
            hashing.update(edge.pop() + leaf)
            leaf = hashing.digest()
            size >>= 1
        edge.append(leaf)

    def extend(self, leaves: Iterable[bytes]) -> None:
        """More leaves, in order."""
        for leaf in leaves:
            self.append(leaf)

    def root(self) -> bytes:
        """The root of the tree as it is now."""
        return _folded(self._edge) if self._edge else EMPTY

    def edge(self) -> tuple[bytes, ...]:
        """The complete subtrees from left to right."""
        return tuple(self._edge)

    def copy(self) -> "Frontier":
        """A tree of its own that goes on from here."""
        return Frontier(self.size, self._edge)

    def to_bytes(self) -> bytes:
        """Eight bytes of size and the edge."""
        return self.size.to_bytes(8, "big") + b"".join(self._edge)

    @classmethod
    def from_bytes(cls, stored: bytes) -> "Frontier":
        """What `to_bytes` made. Raises `ValueError` for anything else."""
        if len(stored) % HASH_BYTES != 8:
            raise ValueError("no frontier: its length is wrong")
        return cls(int.from_bytes(stored[:8], "big"), _cut(stored[8:]))


def root(leaves: Iterable[bytes]) -> bytes:
    """The root over these leaf hashes."""
    tree = Frontier()
    tree.extend(leaves)
    return tree.root()


def node_source(leaves: Sequence[bytes]) -> NodeAt:
    """Complete subtrees over leaf hashes that are all at hand."""
    levels: list[list[bytes]] = [list(leaves)]

    def node_at(level: int, index: int) -> bytes:
        while len(levels) <= level:
            below = levels[-1]
            levels.append([node(below[at], below[at + 1]) for at in range(0, len(below) - 1, 2)])
        return levels[level][index]

    return node_at


def complete_subtrees(start: int, end: int) -> list[tuple[int, int]]:
    """The fewest complete subtrees, as (level, index), that cover the range from left to right."""
    found: list[tuple[int, int]] = []
    while start < end:
        level = (end - start).bit_length() - 1
        if start:
            level = min(level, (start & -start).bit_length() - 1)
        found.append((level, start >> level))
        start += 1 << level
    return found


def range_hash(span: Range, node_at: NodeAt) -> bytes:
    """The hash over a range that stands in a proof: it begins where a complete subtree of at least its size does."""
    return _folded([node_at(level, index) for level, index in complete_subtrees(*span)])


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """Section 2.1.1: the ranges whose hashes prove that a leaf is in a tree, from the leaf to the root."""
    if not 0 <= index < size:
        raise ValueError(f"no record {index} in a log of {size}")
    return _path(index, 0, size)


def consistency_ranges(first: int, second: int) -> list[Range]:
    """Section 2.1.2: the ranges whose hashes prove that a tree of `first` leaves is the beginning of another."""
    if not 0 <= first <= second:
        raise ValueError(f"a log of {second} records has no beginning of {first}")
    return [] if first in {0, second} else _subproof(first, 0, second, whole=True)


def inclusion_proof(index: int, size: int, node_at: NodeAt) -> list[bytes]:
    """The proof that leaf `index` is in the tree of `size` leaves."""
    return [range_hash(span, node_at) for span in inclusion_ranges(index, size)]


def consistency_proof(first: int, second: int, node_at: NodeAt) -> list[bytes]:
    """The proof that the tree of `first` leaves is the beginning of that of `second`."""
    return [range_hash(span, node_at) for span in consistency_ranges(first, second)]


def verify_inclusion(*, leaf: bytes, index: int, size: int, proof: Sequence[bytes], expected: bytes) -> bool:
    """Whether the proof leads from the leaf to the root `expected`."""
    if not 0 <= index < size or any(len(part) != HASH_BYTES for part in proof):
        return False
    place, last, found = index, size - 1, leaf
    for part in proof:
        if last == 0:
            return False
        if place & 1 or place == last:
            found = node(part, found)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            found = node(found, part)
        place, last = place >> 1, last >> 1
    return last == 0 and found == expected


def verify_consistency(
    *, first: int, second: int, proof: Sequence[bytes], first_root: bytes, second_root: bytes
) -> bool:
    """Whether the proof shows that the tree of `first` leaves is the beginning of that of `second`."""
    if not 0 <= first <= second or any(len(part) != HASH_BYTES for part in proof):
        return False
    if first == 0:
        return not proof and first_root == EMPTY
    if first == second:
        return not proof and first_root == second_root
    parts = list(proof) if first & (first - 1) else [first_root, *proof]
    return bool(parts) and _grows(first, second, parts, first_root, second_root)


def _grows(first: int, second: int, parts: list[bytes], first_root: bytes, second_root: bytes) -> bool:
    place, last = first - 1, second - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    old = new = parts[0]
    for part in parts[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            old, new = node(part, old), node(part, new)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            new = node(new, part)
        place, last = place >> 1, last >> 1
    return last == 0 and old == first_root and new == second_root


def _path(index: int, start: int, end: int) -> list[Range]:
    path: list[Range] = []
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append((middle, end))
            end = middle
        else:
            path.append((start, middle))
            start = middle
    return path[::-1]


def _subproof(first: int, start: int, end: int, *, whole: bool) -> list[Range]:
    if first == end:
        return [] if whole else [(start, end)]
    middle = start + _split(end - start)
    if first <= middle:
        return [*_subproof(first, start, middle, whole=whole), (middle, end)]
    return [*_subproof(first, middle, end, whole=False), (start, middle)]


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1


def _folded(parts: Sequence[bytes]) -> bytes:
    found = parts[-1]
    for part in reversed(parts[:-1]):
        found = node(part, found)
    return found


def _cut(joined: bytes) -> list[bytes]:
    return [joined[at : at + HASH_BYTES] for at in range(0, len(joined), HASH_BYTES)]

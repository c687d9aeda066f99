"""The tree in tiles (c2sp.org/tlog-tiles): paths, what each tile holds, and subtrees read out of them.

Level 0 is what the table of leaves holds; from level 1 on, a hash stands for a full tile of the level below.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from audit.proof.merkle import HASH_BYTES, NodeAt, root

WIDTH: Final = 256
HEIGHT: Final = 8  # 2**8 hashes
TILE_BYTES: Final = WIDTH * HASH_BYTES
Tile = tuple[int, int, int]  # level, number, width
ReadTile = Callable[[int, int], bytes]  # (level, number): the hashes, joined, as far as there are any


def tile_path(level: int, number: int, width: int = WIDTH) -> str:
    """Where a tile is found below the log's address."""
    return f"tile/{level}/{_spread(number)}{_partial(width)}"


def entries_path(number: int, width: int = WIDTH) -> str:
    """Where the entries of a tile of level 0 are found."""
    return f"tile/entries/{_spread(number)}{_partial(width)}"


def tiles(size: int, since: int = 0) -> Iterator[Tile]:
    """The tiles of a tree of `size` leaves that one of `since` leaves does not have, level by level."""
    level = 0
    while size >> (HEIGHT * level):
        hashes, before = size >> (HEIGHT * level), since >> (HEIGHT * level)
        for number in range(before // WIDTH, -(-hashes // WIDTH)):
            width = min(WIDTH, hashes - number * WIDTH)
            if number * WIDTH + width > before:
                yield level, number, width
        level += 1


def tile_root(hashes: Sequence[bytes]) -> bytes:
    """What a full tile is in the level above. Raises `ValueError` for a partial one."""
    if len(hashes) != WIDTH:
        raise ValueError("only a full tile has a hash in the level above")
    return root(hashes)


def split_tile(tile: bytes) -> list[bytes]:
    """The hashes of a tile. Raises `ValueError` where it is no whole number of them."""
    if len(tile) % HASH_BYTES or len(tile) > TILE_BYTES:
        raise ValueError("no tile: its length is wrong")
    return [tile[at : at + HASH_BYTES] for at in range(0, len(tile), HASH_BYTES)]


def node_source(read: ReadTile) -> NodeAt:
    """Complete subtrees out of tiles, for `merkle.inclusion_proof` and `merkle.consistency_proof`."""

    def node_at(level: int, index: int) -> bytes:
        tile_level, height = divmod(level, HEIGHT)
        number, first = divmod(index << height, WIDTH)
        hashes = split_tile(read(tile_level, number))[first : first + (1 << height)]
        if len(hashes) != 1 << height:
            raise ValueError(f"tile {tile_path(tile_level, number)} ends before hash {first + (1 << height)}")
        return root(hashes)

    return node_at


def entry_bundle(entries: Iterable[bytes]) -> bytes:
    """The entries of a tile, each with its length before it. Raises `OverflowError` for one beyond 65,535 bytes."""
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def _spread(number: int) -> str:
    parts = [f"{number % 1000:03d}"]
    while number := number // 1000:
        parts.append(f"x{number % 1000:03d}")
    return "/".join(reversed(parts))


def _partial(width: int) -> str:
    if not 1 <= width <= WIDTH:
        raise ValueError(f"no tile is {width} hashes wide")
    return "" if width == WIDTH else f".p/{width}"

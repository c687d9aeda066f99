from hashlib import sha256

import pytest

from audit.proof import merkle, tiles

LEAVES = [sha256(str(number).encode()).digest() for number in range(70_000)]
LEVELS = {0: LEAVES}
for _level in (1, 2):
    _below = LEVELS[_level - 1]
    LEVELS[_level] = [tiles.tile_root(_below[at : at + 256]) for at in range(0, len(_below) // 256 * 256, 256)]


def read(level: int, number: int) -> bytes:
    return b"".join(LEVELS[level][number * 256 : number * 256 + 256])


@pytest.mark.parametrize(
    ("number", "width", "path"),
    [
        (0, 256, "tile/0/000"),
        (67, 256, "tile/0/067"),
        (1000, 256, "tile/0/x001/000"),
        (1234067, 256, "tile/0/x001/x234/067"),
        (273, 112, "tile/0/273.p/112"),
    ],
)
def test_a_tile_is_found_where_the_specification_says(number: int, width: int, path: str) -> None:
    assert tiles.tile_path(0, number, width) == path
    assert tiles.entries_path(number, width) == path.replace("tile/0", "tile/entries")


@pytest.mark.parametrize("width", [0, 257])
def test_no_tile_is_empty_or_wider_than_full(width: int) -> None:
    with pytest.raises(ValueError, match="wide"):
        tiles.tile_path(0, 0, width)


def test_a_tree_of_70000_has_the_specifications_tiles() -> None:
    found = list(tiles.tiles(70_000))

    assert found[:273] == [(0, number, 256) for number in range(273)]
    assert found[273:] == [(0, 273, 112), (1, 0, 256), (1, 1, 17), (2, 0, 1)]
    assert list(tiles.tiles(256)) == [(0, 0, 256), (1, 0, 1)]
    assert list(tiles.tiles(0)) == []


def test_a_grown_tree_has_the_tiles_that_the_smaller_one_had_not() -> None:
    assert list(tiles.tiles(70_000, since=70_000)) == []
    assert list(tiles.tiles(513, since=300)) == [(0, 1, 256), (0, 2, 1), (1, 0, 2)]
    for since in (0, 255, 256, 257, 65_535, 65_536):
        assert set(tiles.tiles(70_000)) - set(tiles.tiles(since)) == set(tiles.tiles(70_000, since=since))


def test_a_tile_is_what_its_leaves_are() -> None:
    assert LEVELS[1][3] == merkle.root(LEAVES[768:1024])
    assert LEVELS[2][0] == merkle.root(LEAVES[:65_536])
    with pytest.raises(ValueError, match="full tile"):
        tiles.tile_root(LEAVES[:255])
    assert tiles.split_tile(read(0, 0)) == LEAVES[:256]
    for wrong in (b"a", bytes(8193), bytes(8224)):
        with pytest.raises(ValueError, match="no tile"):
            tiles.split_tile(wrong)


@pytest.mark.parametrize(("index", "size"), [(0, 70_000), (65_535, 70_000), (69_999, 70_000), (300, 513), (511, 512)])
def test_proofs_come_out_of_tiles(index: int, size: int) -> None:
    from_tiles, from_leaves = tiles.node_source(read), merkle.node_source(LEAVES[:size])

    assert merkle.inclusion_proof(index, size, from_tiles) == merkle.inclusion_proof(index, size, from_leaves)
    assert merkle.consistency_proof(index, size, from_tiles) == merkle.consistency_proof(index, size, from_leaves)


def test_a_tile_that_ends_too_early_is_told() -> None:
    nodes = tiles.node_source(lambda level, number: read(level, number)[:320])

    assert nodes(0, 9) == LEAVES[9]
    with pytest.raises(ValueError, match="tile/0/000 ends before"):
        nodes(0, 10)


def test_entries_have_their_length_before_them() -> None:
    assert tiles.entry_bundle([b"ab", b"", b"c" * 256]) == b"\0\2ab\0\0\1\0" + b"c" * 256
    with pytest.raises(OverflowError):
        tiles.entry_bundle([bytes(65_536)])

from functools import partial
from hashlib import sha256

import pytest

from audit.proof import merkle
from audit.proof.merkle import Frontier

# The entries, roots and proofs of the Certificate Transparency reference implementations.
ENTRIES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
N96, N5F, N6B = (
    "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
    "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
)
NBC, NCA, N0E = (
    "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
    "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
)
INCLUSION = {
    (0, 1): [],
    (0, 8): [N96, N5F, N6B],
    (5, 8): [NBC, NCA, ROOTS[3]],
    (2, 3): [ROOTS[1]],
    (1, 5): [ROOTS[0], N5F, NBC],
}
CONSISTENCY = {(1, 1): [], (1, 8): [N96, N5F, N6B], (6, 8): [N0E, NCA, ROOTS[3]], (2, 5): [N5F, NBC]}
LEAVES = [sha256(b"\0" + bytes.fromhex(entry)).digest() for entry in ENTRIES]
MANY = [sha256(str(number).encode()).digest() for number in range(130)]


def by_definition(leaves):
    """Section 2.1 word by word."""
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256().digest()
    middle = 1
    while middle * 2 < len(leaves):
        middle *= 2
    return sha256(b"\1" + by_definition(leaves[:middle]) + by_definition(leaves[middle:])).digest()


ALL_ROOTS = [by_definition(MANY[:size]) for size in range(len(MANY) + 1)]


def test_rfc_6962_vectors() -> None:
    assert merkle.root([]).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert [merkle.root(LEAVES[:size]).hex() for size in range(1, 9)] == ROOTS
    nodes = merkle.node_source(LEAVES)
    for (index, size), proof in INCLUSION.items():
        assert [part.hex() for part in merkle.inclusion_proof(index, size, nodes)] == proof
    for (first, second), proof in CONSISTENCY.items():
        assert [part.hex() for part in merkle.consistency_proof(first, second, nodes)] == proof


def test_all_roots_of_all_sizes_up_to_130() -> None:
    tree = Frontier()
    for size, leaf in enumerate(MANY):
        assert tree.root() == ALL_ROOTS[size]
        tree.append(leaf)
    assert tree.root() == ALL_ROOTS[130]


def test_all_inclusion_proofs_of_all_sizes_up_to_130() -> None:
    nodes = merkle.node_source(MANY)
    for size in range(1, len(MANY) + 1):
        for index in range(size):
            proof = merkle.inclusion_proof(index, size, nodes)
            place = {"index": index, "size": size, "proof": proof, "expected": ALL_ROOTS[size]}
            assert merkle.verify_inclusion(leaf=MANY[index], **place)
            assert not merkle.verify_inclusion(leaf=MANY[index - 1], **place) or size == 1


def test_all_consistency_proofs_of_all_sizes_up_to_130() -> None:
    nodes = merkle.node_source(MANY)
    for second in range(len(MANY) + 1):
        for first in range(second + 1):
            proof = merkle.consistency_proof(first, second, nodes)
            verify = partial(merkle.verify_consistency, first=first, second=second, proof=proof)
            assert verify(first_root=ALL_ROOTS[first], second_root=ALL_ROOTS[second])
            assert not verify(first_root=MANY[0][::-1], second_root=ALL_ROOTS[second])


@pytest.mark.parametrize("size", [1, 2, 7, 8, 130])
def test_a_proof_with_anything_changed_proves_nothing(size: int) -> None:
    nodes, other = merkle.node_source(MANY), bytes(32)
    for index in range(size):
        proof = merkle.inclusion_proof(index, size, nodes)
        for wrong in (proof[:-1], [*proof, other], [other, *proof[1:]], [part[:31] for part in proof]):
            if wrong != proof:
                assert not merkle.verify_inclusion(
                    leaf=MANY[index], index=index, size=size, proof=wrong, expected=ALL_ROOTS[size]
                )
    for first in range(1, size):
        proof = merkle.consistency_proof(first, size, nodes)
        for wrong in (proof[:-1], [*proof, other], [other, *proof[1:]], []):
            assert not merkle.verify_consistency(
                first=first, second=size, proof=wrong, first_root=ALL_ROOTS[first], second_root=ALL_ROOTS[size]
            )


def test_what_is_in_no_tree_has_no_proof() -> None:
    nodes = merkle.node_source(MANY)
    for index, size in [(0, 0), (5, 5), (-1, 5)]:
        with pytest.raises(ValueError, match="no record"):
            merkle.inclusion_proof(index, size, nodes)
        assert not merkle.verify_inclusion(leaf=MANY[0], index=index, size=size, proof=[], expected=MANY[0])
    with pytest.raises(ValueError, match="no beginning"):
        merkle.consistency_proof(6, 5, nodes)
    assert not merkle.verify_consistency(first=6, second=5, proof=[], first_root=MANY[0], second_root=MANY[0])


def test_a_frontier_goes_on_where_it_was_stored() -> None:
    tree = Frontier()
    for size, leaf in enumerate(MANY):
        stored = tree.to_bytes()
        assert len(stored) == 8 + 32 * size.bit_count()
        again = Frontier.from_bytes(stored)
        again.append(leaf)
        tree.append(leaf)
        assert again.root() == tree.root() == tree.copy().root()
    assert Frontier(tree.size, tree.edge()).root() == ALL_ROOTS[130]


@pytest.mark.parametrize("stored", [b"", bytes(7), bytes(7) + b"\3" + bytes(32), bytes(8) + bytes(31), bytes(40)])
def test_what_is_no_frontier_is_refused(stored: bytes) -> None:
    with pytest.raises(ValueError, match="no frontier"):
        Frontier.from_bytes(stored)


def test_complete_subtrees_cover_a_range_once() -> None:
    for start, end in [(0, 130), (1, 130), (64, 100), (127, 129), (5, 5)]:
        covered = [
            leaf
            for level, index in merkle.complete_subtrees(start, end)
            for leaf in range(index << level, (index + 1) << level)
        ]
        assert covered == list(range(start, end))

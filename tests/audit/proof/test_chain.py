import hmac
from hashlib import sha256
from uuid import UUID

import pytest

from audit.proof import chain
from tests.databases import ROOT

KEY = bytes(range(32))
INSTALLATION = "4a9c8f60-51a0-4a4f-9d3c-6f2b8f2f9d10"
WRITER = UUID("01920000-0000-7000-8000-000000000001")
RECORD = UUID("01920000-0000-7000-8000-000000000002")
SHARD, SEQ = 202611, 7
BODY = b'{"event":"call.allowed","v":1}'


def test_chain_and_mac_follow_the_written_layout() -> None:
    leaf = sha256(b"\x00" + BODY).digest()
    first = sha256(
        b"holdfast-chain/1\x00" + INSTALLATION.encode() + WRITER.bytes + SHARD.to_bytes(4, "big", signed=True)
    ).digest()
    link = sha256(first + leaf).digest()
    of_writer = hmac.digest(KEY, b"writer" + WRITER.bytes, "sha256")
    message = b"holdfast-mac/1\x00" + SHARD.to_bytes(4, "big", signed=True) + SEQ.to_bytes(8, "big") + link
    name = sha256(b"holdfast-audit-key\x00" + KEY).digest()[:4]

    assert chain.leaf(BODY) == leaf
    assert chain.first_link(INSTALLATION, WRITER, SHARD) == first
    assert chain.next_link(first, leaf) == link
    assert chain.link_of(first, BODY) == link
    assert chain.key_id(KEY) == name
    assert chain.WriterMac(KEY, WRITER).mac(SHARD, SEQ, link) == name + hmac.digest(of_writer, message, "sha256")


def test_the_control_planes_mac_follows_the_written_layout() -> None:
    leaf = chain.leaf(BODY)
    derived = hmac.digest(KEY, b"control plane", "sha256")
    message = b"holdfast-mac/1c\x00" + RECORD.bytes + SHARD.to_bytes(4, "big", signed=True) + leaf

    expected = chain.key_id(KEY) + hmac.digest(derived, message, "sha256")
    assert chain.control_plane_mac(KEY, RECORD, SHARD, leaf) == expected
    assert len(expected) == chain.MAC_BYTES


def test_the_worked_vector_of_the_documentation() -> None:
    told = {
        name.strip(): value.strip().strip("`")
        for name, value in (
            line.strip("|").split("|")
            for line in (ROOT / "docs/audit.md").read_text().splitlines()
            if "| `" in line and line.count("|") == 3
        )
    }
    leaf = chain.leaf(told["body"].encode())
    first = chain.first_link(told["installation"], WRITER, SHARD)
    link = chain.next_link(first, leaf)
    key = bytes.fromhex(told["AUDIT_KEY"])

    assert (leaf.hex(), first.hex(), link.hex()) == (told["leaf"], told["chain_0"], told["chain_1"])
    assert chain.WriterMac(key, WRITER).mac(SHARD, 1, link).hex() == told["mac (gateway)"]
    assert chain.control_plane_mac(key, RECORD, SHARD, leaf).hex() == told["mac (control plane)"]


@pytest.mark.parametrize("changed", ["shard", "writer", "number", "chain", "key"])
def test_another_shard_writer_or_number_gives_another_mac(changed: str) -> None:
    link = chain.first_link(INSTALLATION, WRITER, SHARD)
    mac = chain.WriterMac(KEY, WRITER).mac(SHARD, SEQ, link)

    other = chain.WriterMac(KEY[::-1] if changed == "key" else KEY, RECORD if changed == "writer" else WRITER).mac(
        SHARD + (changed == "shard"), SEQ + (changed == "number"), link[::-1] if changed == "chain" else link
    )

    assert other[4:] != mac[4:]
    assert (other[:4] == mac[:4]) == (changed != "key")


def test_a_chain_begins_anew_in_every_shard_and_installation() -> None:
    begins = {
        chain.first_link(installation, writer, shard)
        for installation in (INSTALLATION, str(RECORD))
        for writer in (WRITER, RECORD)
        for shard in (SHARD, SHARD + 1)
    }

    assert len(begins) == 8

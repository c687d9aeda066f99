"""A writer's chain: what is tried does not touch what is durable."""

from uuid import UUID

from audit.chaining import Chain
from audit.proof.chain import WriterMac, first_link, leaf, next_link

WRITER = UUID("01890000-0000-7000-8000-0000000000ab")
KEY = bytes(range(32))


def test_each_record_follows_the_written_layout() -> None:
    chain, mac = Chain("acme", WRITER, 202611, KEY), WriterMac(KEY, WRITER)
    first = next_link(first_link("acme", WRITER, 202611), leaf(b"one"))
    second = next_link(first, leaf(b"two"))
    assert chain.add(b"one") == (first, mac.mac(202611, 1, first))
    assert chain.add(b"two") == (second, mac.mac(202611, 2, second))


def test_a_batch_that_failed_leaves_the_chain_where_it_was() -> None:
    chain = Chain("acme", WRITER, 202611, KEY)
    chain.add(b"one")
    seq, link = chain.seq, chain.link
    tried = chain.ahead()
    tried.add(b"two")
    assert (chain.seq, chain.link) == (seq, link)
    assert (tried.seq, tried.shard, tried.writer) == (2, 202611, WRITER)
    assert chain.ahead().add(b"two") == (tried.link, WriterMac(KEY, WRITER).mac(202611, 2, tried.link))

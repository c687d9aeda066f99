"""Where the chain of one writer's records stands. Pure module; the layouts are those of `audit.proof.chain`."""

from typing import Self
from uuid import UUID

from audit.proof.chain import WriterMac, first_link, link_of


class Chain:
    """A writer's records in one shard: how many, and the link that covers them all.

    What is durable and what is only tried are two chains: a batch extends an `ahead` of the first, which takes its
    place once the batch is committed.
    """

    __slots__ = ("_mac", "link", "seq", "shard", "writer")

    def __init__(self, installation: str, writer: UUID, shard: int, key: bytes) -> None:
        self.writer = writer
        self.shard = shard
        self.seq = 0
        self.link = first_link(installation, writer, shard)
        self._mac = WriterMac(key, writer)

    def ahead(self) -> Self:
        """The same chain, to be extended by what may fail."""
        copy = object.__new__(type(self))
        copy.writer, copy.shard, copy.seq, copy.link, copy._mac = (
            self.writer, self.shard, self.seq, self.link, self._mac,
        )  # fmt: skip
        return copy

    def add(self, body: bytes) -> tuple[bytes, bytes]:
        """One record more, with the next number; answers its link and its MAC."""
        self.seq += 1
        self.link = link = link_of(self.link, body)
        return link, self._mac.mac(self.shard, self.seq, link)

"""What a verification keeps while it reads: where each writer's chain is, and which bodies are gone. Pure."""

from audit.proof.chain import WriterMac
from audit.proof.findings import KEPT, Entry


class WriterState:
    """A writer's chain in one shard, as far as it was read. `link` is None where it is not known."""

    __slots__ = ("authenticated", "end", "link", "macs", "seq")

    def __init__(self, name: bytes, seq: int, link: bytes | None) -> None:
        self.seq, self.link = seq, link
        self.end = b'"writer":"%b"}' % name  # of every body: it is the last of a canonical body's members
        self.macs: dict[bytes, WriterMac] = {}
        self.authenticated: bool | None = None


class Gone:
    """Records of a shard whose bodies are gone: pruning takes millions, so only some are named."""

    __slots__ = ("count", "entries")

    def __init__(self) -> None:
        self.count = 0
        self.entries: list[Entry] = []

    def add(self, entry: Entry) -> None:
        """One more."""
        self.count += 1
        if len(self.entries) < KEPT:
            self.entries.append(entry)

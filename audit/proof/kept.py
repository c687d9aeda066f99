"""What a verification keeps while it reads: where each writer's chain is, and which bodies are gone. Pure."""

from collections.abc import Mapping
from typing import Any, Self

from audit.proof.chain import WriterMac
from audit.proof.findings import KEPT, Entry


class WriterState:
    """A writer's chain in one shard, as far as it was read. `link` is None where it is not known."""

    __slots__ = ("authenticated", "end", "link", "maker", "seq")

    def __init__(self, name: bytes, seq: int, link: bytes | None) -> None:
        self.seq, self.link = seq, link
        self.end = b'"writer":"%b"}' % name  # of every body: it is the last of a canonical body's members
        self.maker: WriterMac | None = None  # with the key that its last MAC named
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


class Pruning:
    """What one `log.pruned` says: how many bodies of which months are gone by then, and where MACs began."""

    __slots__ = ("chained_at", "months")

    def __init__(self, months: Mapping[int, int], chained_at: int | None) -> None:
        self.months = months
        self.chained_at = chained_at

    @classmethod
    def of(cls, after: object) -> Self:
        """From the record's `after`; what does not fit says nothing."""
        said: dict[str, Any] = after if isinstance(after, dict) else {}
        earlier = said.get("earlier")
        months = {**(earlier if isinstance(earlier, dict) else {}), str(said.get("shard")): said.get("records")}
        fit = {int(month): count for month, count in months.items() if month.isdecimal() and isinstance(count, int)}
        boundary = said.get("chained_at")
        return cls(fit, boundary if isinstance(boundary, int) else None)

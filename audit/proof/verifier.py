"""Holds a log against itself, its keys and its checkpoints, record by record. Pure.

Each record takes some twenty microseconds, so entries are plain tuples and every step is written for speed: a log of
millions is verified at night on one core. It goes on after a finding, from what is written there, so that one change is
told once: a body that was edited is told by its leaf hash and does not break the chain and the root as well.
"""

from binascii import hexlify
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final
from uuid import UUID

from audit.proof.calls import Calls, facts
from audit.proof.chain import ControlPlaneMac, WriterMac, first_link, key_id, next_link
from audit.proof.chain import leaf as leaf_of
from audit.proof.checkpoint import Checkpoint
from audit.proof.findings import KEPT, Entry, Finding, Kind, Report, at
from audit.proof.kept import Gone, Pruning, WriterState
from audit.proof.merkle import Frontier

HeadOf = Callable[[bytes, int, int], bytes | None]  # (writer, shard, seq): the chain at that record, where it is known
_NEVER: Final = -1
# Of the line of a gateway's record in an export.
_LINE: Final = b'%b%b","writer":"%b","seq":%d,"chain":"%b","mac":"%b","leaf":"%b",'
_BODY: Final = b'"body":{'
_BRACE: Final = len(_BODY) - 1
_ID: Final = 36
_ID_TO_WRITER: Final = _ID + len('","writer":"')
_TO_BODY: Final = 300  # at least, behind where the id begins


class Verifier:
    """One verification. `tree` is where an earlier one, or an export, left off; without it the log begins at 0."""

    def __init__(
        self,
        *,
        installation: str,
        keys: Iterable[bytes] = (),
        checkpoints: Iterable[Checkpoint] = (),
        tree: Frontier | None = None,
        head_of: HeadOf | None = None,
        chained: bool = False,  # whether `log.chained` stands before it
    ) -> None:
        self.report = Report()
        self._installation = installation
        self._keys = {key_id(key): key for key in keys}
        self._control_plane = {name: ControlPlaneMac(key) for name, key in self._keys.items()}
        self._tree: Frontier | None = tree.copy() if tree is not None else Frontier()
        self._next = self.report.first = self._tree.size if self._tree is not None else 0
        self._points = sorted(set(checkpoints), key=lambda point: (point.size, point.root), reverse=True)
        self._writers: dict[tuple[bytes, int], WriterState] = {}
        self._head_of = head_of
        self._calls = Calls()
        self._chained = chained
        self._chained_at: int | None = None
        self._shard = 0  # of the last record
        self._bare: deque[tuple[Any, ...]] = deque(maxlen=KEPT)  # places of the last records without a MAC
        self._gone: dict[int, Gone] = {}
        self._pruned: dict[int, int] = {}
        self._due = _NEVER  # the last place of the next checkpoint
        self._compare()

    def run(self, entries: Iterable[Entry]) -> Report:
        """Verify all of these, which stand in the log's order, and close."""
        take = self.take
        for entry in entries:
            take(entry)
        return self.close()

    def take_line(self, line: bytes) -> bool:
        """Take a line of an export if it is the one that is due; anything else changes nothing and is for `take`.

        Due is a gateway's next record. Nothing is read out of its line but who wrote it and the body: all the rest is
        made again from the body, the writer's chain and its key, and compared. So most lines need not be parsed.
        """
        index, shard, tree = self._next, self._shard, self._tree
        begins = b'{"index":%d,"shard":%d,"id":"' % (index, shard)
        start = len(begins)
        stop = line.find(_BODY, start + _TO_BODY)
        record, name = line[start : start + _ID], line[start + _ID_TO_WRITER : start + _ID_TO_WRITER + _ID]
        writer = self._writers.get((name, shard))
        if writer is None or writer.link is None or writer.maker is None or tree is None or index == self._due:
            return False
        body, seq = line[stop + _BRACE : -2], writer.seq + 1
        own = leaf_of(body)
        link = next_link(writer.link, own)
        hashes = hexlify(link), hexlify(writer.maker.mac(shard, seq, link)), hexlify(own)
        if line[:stop] != _LINE % (begins, record, name, seq, *hashes) or not line.endswith(b"}\n"):
            return False
        writer.seq, writer.link, self._next = seq, link, index + 1
        tree.append(own)
        report = self.report
        report.records += 1
        report.authenticated += 1
        self._calls.read((index, shard, record, name, seq), body)
        return True

    def take(self, entry: Entry) -> None:
        """One record more."""
        index, _, _, writer, _, _, _, leaf, body = entry
        if index != self._next and not self._leapt(entry):
            return
        self._next = index + 1
        self.report.records += 1
        own = leaf_of(body) if body is not None else None
        leaf = leaf or own
        if leaf is None:
            raise ValueError(f"record {index} has neither a leaf hash nor a body")
        authentic = self._of_control_plane(entry, leaf) if writer is None else self._of_gateway(entry, leaf, own)
        if (tree := self._tree) is not None:
            tree.append(leaf)
            if index == self._due:
                self._compare()
        if body is None:
            self._gone.setdefault(entry[1], Gone()).add(entry)
        elif own != leaf:
            self.report.add(at(Kind.LEAF, entry, expected=leaf.hex(), found=(own or b"").hex()))
        else:
            self._read(entry, body, authentic=authentic)

    def take_alone(self, entry: Entry) -> bytes:
        """A record without its neighbours: all but place and chain. Answers its leaf hash."""
        _, shard, _, name, seq, chain, mac, leaf, body = entry
        if body is None:
            raise ValueError("a record without its body says nothing")
        own = leaf_of(body)
        if name is None or seq is None:
            authentic = self._of_control_plane(entry, own)
        else:
            writer = self._writers.get((name, shard)) or self._begin(name, shard, seq)
            authentic = self._by_writer(entry, writer, mac, chain)
        self.report.records += 1
        if leaf is not None and leaf != own:
            self.report.add(at(Kind.LEAF, entry, expected=leaf.hex(), found=own.hex()))
        else:
            self._read(entry, body, authentic=authentic)
        return own

    def close(self) -> Report:
        """What remains to be said at the end of the log."""
        report = self.report
        report.end = self._next
        report.root = self._tree.root() if self._tree is not None else None
        self._say_what_was_bare()
        for shard, gone in self._gone.items():
            self._say_what_is_gone(shard, gone)
        while self._points:
            self._unreached(self._points.pop())
        self._calls.close(report)
        return report

    def tree(self) -> Frontier | None:
        """The tree so far; None where places are missing from it."""
        return self._tree

    def _leapt(self, entry: Entry) -> bool:
        """Whether the log goes on at this place, which is not the next one."""
        index = entry[0]
        if index < self._next:
            self.report.add(at(Kind.INDEX, entry, expected=str(self._next), found=str(index)))
            return False
        self._tree = None
        found = f"{index}: {index - self._next} missing"
        self.report.add(Finding(Kind.INDEX, self._next, expected=str(self._next), found=found))
        return True

    def _of_gateway(self, entry: Entry, leaf: bytes, own: bytes | None) -> bool:
        _, shard, _, name, seq, chain, mac, _, body = entry
        if name is None or seq is None:
            raise ValueError(f"record {entry[0]} has a writer and no number")
        writer = self._writers.get((name, shard)) or self._begin(name, shard, seq)
        if seq != writer.seq + 1:
            self._skipped(entry, writer)
        writer.seq, self._shard = seq, shard
        link = writer.link
        follows = next_link(link, leaf) if link is not None else None
        if chain is None:
            writer.link = follows
        else:
            if follows is not None and chain != follows and not _explained(link, leaf, own, chain):
                self.report.add(at(Kind.CHAIN, entry, expected=follows.hex(), found=chain.hex()))
            writer.link = chain
        if body is None:
            return False
        if writer.maker is not None and chain is not None and writer.maker.mac(shard, seq, chain) == mac:
            self.report.authenticated += 1  # nearly always
            return True
        return self._by_writer(entry, writer, mac, chain)

    def _by_writer(self, entry: Entry, writer: WriterState, mac: bytes | None, chain: bytes | None) -> bool:
        if mac is None:
            self._unauthenticated(entry, expected=bool(writer.authenticated))
            return False
        writer.authenticated = True
        if not self._keys:
            self.report.unchecked += 1
            return True
        maker = self._maker(writer, entry, mac[:4])
        if maker is None:
            self.report.add(at(Kind.UNKNOWN_KEY, entry, found=mac[:4].hex()))
            return False
        _, shard, _, _, seq, *_ = entry
        return self._judge(entry, mac, maker.mac(shard, seq or 0, chain) if chain is not None else b"")

    def _of_control_plane(self, entry: Entry, leaf: bytes) -> bool:
        _, shard, record, _, _, _, mac, _, body = entry
        if body is None:
            return False
        if mac is None:
            self._unauthenticated(entry, expected=False)
            return False
        if not self._keys:
            self.report.unchecked += 1
            return True
        maker = self._control_plane.get(mac[:4])
        if maker is None:
            self.report.add(at(Kind.UNKNOWN_KEY, entry, found=mac[:4].hex()))
            return False
        return self._judge(entry, mac, maker.mac(_id_bytes(record), shard, leaf))

    def _judge(self, entry: Entry, mac: bytes, expected: bytes) -> bool:
        if mac == expected:
            self.report.authenticated += 1
            return True
        self.report.add(at(Kind.MAC, entry))  # what it should have been is for who has the key
        return False

    def _unauthenticated(self, entry: Entry, *, expected: bool) -> None:
        if expected or self._chained:
            self.report.add(at(Kind.UNAUTHENTICATED, entry))
        else:
            self.report.unauthenticated += 1
            self._bare.append(entry[:5])

    def _begin(self, name: bytes, shard: int, seq: int) -> WriterState:
        """The state before the first record of this writer that is read."""
        if seq == 1:
            writer = WriterState(name, 0, first_link(self._installation, UUID(bytes=_id_bytes(name)), shard))
        elif self.report.first:
            writer = WriterState(name, seq - 1, self._head_of(name, shard, seq - 1) if self._head_of else None)
        else:
            writer = WriterState(name, 0, None)
        self._writers[name, shard] = writer
        return writer

    def _skipped(self, entry: Entry, writer: WriterState) -> None:
        _, shard, _, name, seq, *_ = entry
        expected = writer.seq + 1
        gone = Finding(Kind.SEQUENCE, shard=shard, writer=(name or b"").decode("ascii", "replace"), seq=expected)
        twice = at(Kind.SEQUENCE, entry, expected=str(expected), found=str(seq))
        self.report.add(twice if (seq or 0) < expected else gone)
        writer.link = None

    def _maker(self, writer: WriterState, entry: Entry, name: bytes) -> WriterMac | None:
        if (key := self._keys.get(name)) is None:
            return None
        writer.maker = WriterMac(key, UUID(bytes=_id_bytes(entry[3] or b"")))
        return writer.maker

    def _read(self, entry: Entry, body: bytes, *, authentic: bool) -> None:
        """What the body says, which is what the log has at this place."""
        name = entry[3]
        # What has its MAC stands where it was written: its number and its writer are in it.
        if not (authentic and self._keys) and not self._fits(entry, body):
            self.report.add(at(Kind.BODY, entry))
        self._calls.read(entry, body)
        if name is None and authentic and b'"event":"log.' in body:
            self._told_by_the_log(facts(body))

    def _fits(self, entry: Entry, body: bytes) -> bool:
        """Whether the body names this very place."""
        _, shard, record, name, seq, *_ = entry
        if name is None:
            return b'"id":"%b"' % record in body
        return body.endswith(self._writers[name, shard].end) and b'"seq":%d,' % (seq or 0) in body

    def _told_by_the_log(self, said: Mapping[str, Any]) -> None:
        if said.get("event") == "log.chained":
            self._chained = True
        elif said.get("event") == "log.pruned":
            told = Pruning.of(said.get("after"))
            self._pruned |= told.months
            if told.chained_at is not None:
                self._chained = True
                self._chained_at = told.chained_at

    def _say_what_was_bare(self) -> None:
        """The boundary can have been pruned: then only later records tell where it stood."""
        for place in self._bare if self._chained_at is not None else ():
            if place[0] > (self._chained_at or 0):
                self.report.unauthenticated -= 1
                self.report.add(at(Kind.UNAUTHENTICATED, (*place, None, None, None, None)))

    def _say_what_is_gone(self, shard: int, gone: Gone) -> None:
        if gone.count <= self._pruned.get(shard, 0):
            self.report.pruned += gone.count
            return
        for entry in gone.entries:
            self.report.add(at(Kind.MISSING, entry))
        self.report.count += gone.count - len(gone.entries)

    def _compare(self) -> None:
        """Hold the tree against every checkpoint of its size, and look for the next one."""
        tree = self._tree
        while tree is not None and self._points and self._points[-1].size <= tree.size:
            point = self._points.pop()
            if point.size < tree.size:
                self.report.notice(Finding(Kind.UNCHECKED, expected=_named(point), found=f"begins at {tree.size}"))
            elif tree.root() == point.root:
                self.report.matched.append(point)
            else:
                self.report.add(_other_root(point, tree.root().hex()))
        self._due = self._points[-1].size - 1 if self._points else _NEVER

    def _unreached(self, point: Checkpoint) -> None:
        if point.size > self._next:
            expected = f"{point.size} records"
            self.report.add(Finding(Kind.CUT, self._next, expected=expected, found=f"{self._next} records"))
        else:
            self.report.add(_other_root(point, "none: places are missing"))


def _explained(link: bytes | None, leaf: bytes, own: bytes | None, chain: bytes) -> bool:
    """Whether the leaf hash alone was changed, which has been told: the chain follows from the body."""
    return own is not None and own != leaf and link is not None and next_link(link, own) == chain


def _other_root(point: Checkpoint, found: str) -> Finding:
    return Finding(Kind.ROOT, point.size - 1, expected=f"{point.root.hex()} for {_named(point)}", found=found)


def _named(point: Checkpoint) -> str:
    return f"the first {point.size} records of {point.origin}"


def _id_bytes(text: bytes) -> bytes:
    """Of a UUID's text. Raises `ValueError`."""
    found = bytes.fromhex(text.replace(b"-", b"").decode("ascii"))
    if len(found) != 16:
        raise ValueError("not an id")
    return found

"""What the sequencer remembers outside the database, in a directory of its own.

`checkpoint` holds the last signed note, `checkpoints.log` every one of them (a line of JSON each), `frontier` the
tree's right edge, which only saves time, `anchors.json` how far each place outside has come. Written so that a crash
leaves the old or the new, never half.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Final

from audit.proof.merkle import Frontier

_TAIL: Final = 65_536  # bytes that surely hold the last line
_CURSORS: Final = "anchors.json"


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place outside has everything before `offset`; the last was the checkpoint of `size` records of `origin`."""

    offset: int = 0
    origin: str = ""
    size: int = 0
    file: str = ""  # tells the append-only file from one that was begun in its place


class StateDirectory:
    """Raises `OSError` for what the disk refuses."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log = path / "checkpoints.log"
        self._checkpoint = path / "checkpoint"
        self._frontier = path / "frontier"

    def read(self) -> bytes | None:
        """The last signed note, None where there is none."""
        try:
            return self._checkpoint.read_bytes()
        except FileNotFoundError:
            return None

    def keep(self, note: bytes) -> None:
        """Remember what was signed; returns once it is on the disk."""
        self._write(self._checkpoint, note)

    def has_signed(self) -> bool:
        """Whether the append-only file says that anything was signed here, whatever became of the note."""
        try:
            return self.log.stat().st_size > 0
        except FileNotFoundError:
            return False

    def append(self, note: bytes, signed_at: datetime) -> None:
        """Add the note to the append-only file, unless it is the last one there."""
        with self.log.open("a+b") as file:
            tail = _tail(file)
            if _last_note(tail) == note.decode():
                return
            # What a crash left half a line stays one.
            file.write((b"" if not tail or tail.endswith(b"\n") else b"\n") + _line(note, signed_at))
            file.flush()
            os.fsync(file.fileno())

    def put_aside(self, moment: datetime) -> None:
        """Move the note out of the way; nothing is deleted."""
        self._checkpoint.rename(self.path / f"checkpoint.{moment:%Y%m%dT%H%M%SZ}")

    def frontier(self) -> Frontier | None:
        """The tree's edge as it was kept, if it can be read. To be compared with the note."""
        try:
            return Frontier.from_bytes(self._frontier.read_bytes())
        except (OSError, ValueError):
            return None

    def lines(self, cursor: Cursor, count: int) -> tuple[list[bytes], Cursor]:
        """So many whole lines of the append-only file from the cursor on, and the cursor behind them."""
        found: list[bytes] = []
        try:
            with self.log.open("rb") as file:
                name = sha256(file.readline()).hexdigest()[:16]
                if cursor.file not in {"", name}:
                    cursor = replace(cursor, offset=0)
                file.seek(cursor.offset)
                while len(found) < count and (line := file.readline()).endswith(b"\n"):
                    found.append(line)
        except FileNotFoundError:
            return [], cursor
        return found, replace(cursor, offset=cursor.offset + sum(map(len, found)), file=name)

    def last_line(self) -> int:
        """Where the append-only file's last line begins."""
        try:
            with self.log.open("rb") as file:
                tail, end = _tail(file), file.tell()
        except FileNotFoundError:
            return 0
        return end - len(tail) + tail.removesuffix(b"\n").rfind(b"\n") + 1

    def cursors(self) -> dict[str, Cursor]:
        """How far each place outside has come."""
        try:
            said = json.loads((self.path / _CURSORS).read_bytes())
            return {name: Cursor(**cursor) for name, cursor in said.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}

    def keep_cursors(self, cursors: Mapping[str, Cursor]) -> None:
        """Remember it. After a loss something is sent again."""
        content = json.dumps({name: asdict(cursor) for name, cursor in cursors.items()}).encode()
        self._write(self.path / _CURSORS, content, is_durable=False)

    def keep_frontier(self, frontier: Frontier) -> None:
        """Remember the edge. A loss only costs time."""
        self._write(self._frontier, frontier.to_bytes(), is_durable=False)

    def tell(self, name: str, text: str) -> None:
        """Write a file for others to read, whole."""
        self._write(self.path / name, text.encode(), mode=0o644, is_durable=False)

    def _write(self, path: Path, content: bytes, *, mode: int = 0o600, is_durable: bool = True) -> None:
        unfinished = path.with_name(f".{path.name}.new")
        unfinished.unlink(missing_ok=True)
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(content)
            if is_durable:
                file.flush()
                os.fsync(file.fileno())
        unfinished.replace(path)
        if is_durable:
            self._sync_directory()

    def _sync_directory(self) -> None:
        directory = os.open(self.path, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def _line(note: bytes, signed_at: datetime) -> bytes:
    line = {"time": f"{signed_at:%Y-%m-%dT%H:%M:%S.%fZ}", "note": note.decode()}
    return json.dumps(line, ensure_ascii=False).encode() + b"\n"


def _tail(file: BinaryIO) -> bytes:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _TAIL))
    return file.read(_TAIL)


def _last_note(tail: bytes) -> str | None:
    try:
        return str(json.loads(tail.rstrip(b"\n").rpartition(b"\n")[2])["note"])
    except (ValueError, KeyError, TypeError):
        return None

"""What every way of sending records has in common."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from audit.formats.placed import Placed


class Written(NamedTuple):
    """A record and its line in the sink's format."""

    record: Placed
    line: bytes


class SendFailed(Exception):
    """What was sent did not arrive, as far as we know. Holds a sentence of ours and nothing that a receiver said."""

    def __init__(self, sentence: str, *, wait: float = 0.0) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.wait = wait  # seconds that the receiver asked for


class Transport(Protocol):
    """The way to a receiver. `settle`: for how long after sending nothing may go wrong until it counts as arrived."""

    settle: float

    async def send(self, batch: Sequence[Written]) -> None:
        """Send these, in order. Raises `SendFailed`."""

    async def check(self) -> None:
        """Whether what was sent is still on its way. Raises `SendFailed`."""

    async def aclose(self) -> None:
        """Leave."""

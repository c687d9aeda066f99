"""What an installation seals with: one key for each purpose, the same in every process."""

from gateway.asks import LONGEST as LONGEST_ID
from gateway.handles import LONGEST as LONGEST_HANDLE
from gateway.rounds import LONGEST as LONGEST_STATE
from gateway.sealing import Seal


class Seals:
    """One for each purpose. `key` has 32 bytes."""

    def __init__(self, key: bytes, installation: str) -> None:
        self.upstream = Seal(key=key, installation=installation, purpose="upstream session", longest=8192)
        self.asks = Seal(key=key, installation=installation, purpose="question", longest=LONGEST_ID)
        self.rounds = Seal(key=key, installation=installation, purpose="request state", longest=LONGEST_STATE)
        self.handles = Seal(key=key, installation=installation, purpose="task", longest=LONGEST_HANDLE)

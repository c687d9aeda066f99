"""Sampling of what strangers cause: a record that cannot be deleted must not be theirs to multiply. Pure module."""

import threading
from dataclasses import dataclass, field


@dataclass(slots=True)
class Sampler:
    """Admits `limit` events per `window` seconds and counts the rest, per process. Thread-safe."""

    limit: int
    window: float
    _began: float = field(default=float("-inf"), init=False)
    _seen: int = field(default=0, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def admit(self, now: float) -> int | None:
        """None to leave the event out; otherwise how many were left out since the last that was admitted.

        `now` is in monotonic seconds.
        """
        with self._lock:
            left_out = 0
            if now - self._began >= self.window:
                left_out = max(self._seen - self.limit, 0)
                self._began, self._seen = now, 0
            self._seen += 1
            return left_out if self._seen <= self.limit else None

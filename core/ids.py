"""Public identifiers: UUIDv7 (RFC 9562), sortable by time of creation.

Ours and not a package's: each audit record has one, so it is made ten thousand times a second, and a generator that
counts whole milliseconds up, as is common, would then run ten times faster than the clock.
"""

import os
import time
from collections.abc import Iterator
from struct import unpack
from typing import Final
from uuid import UUID, SafeUUID

_VERSION: Final = 7 << 12
_VARIANT: Final = 2 << 62
_RANDOM: Final = (1 << 62) - 1
_STEP: Final = 10_000 << 12  # ten seconds: a clock that went back so far was set, and is believed
_BATCH: Final = 512  # numbers for which the system is asked at once
# `UUID` takes longer to judge what it is made of than all else here takes.
_set_number: Final = UUID.int.__set__  # type: ignore[attr-defined, misc]  # a slot of the class, and meant as such
_set_safety: Final = UUID.is_safe.__set__  # type: ignore[attr-defined, misc]  # the same
_new: Final = UUID.__new__
_UNKNOWN: Final = SafeUUID.unknown  # read from the class it is found by a function
_last = 0  # when the newest id of this process was made, in 1/4096 ms
_randoms: Iterator[int] = iter(())  # lower halves of ids: the variant, and 62 bits fresh from the system


def new_id() -> UUID:
    """A fresh UUIDv7: milliseconds, their fraction in twelve bits (RFC 9562, section 6.2, method 3), 62 random bits.

    Rises within a process and follows the clock, as long as fewer than four million are made in a second and nobody
    sets the clock back.
    """
    global _last  # noqa: PLW0603 -- the generator's only state; two threads at once still differ in 62 random bits
    now = (time.time_ns() << 12) // 1_000_000
    if _last - _STEP < now <= _last:
        now = _last + 1
    _last = now
    made = _new(UUID)
    # The halves are put together at the end: each step with a number of 128 bits takes twice as long.
    upper = now >> 12 << 16 | _VERSION | now & 0xFFF
    _set_number(made, upper << 64 | (next(_randoms, None) or _more()))
    _set_safety(made, _UNKNOWN)
    return made


def _more() -> int:
    global _randoms  # noqa: PLW0603 -- the stock that `new_id` draws from; each number is drawn once, by one thread
    _randoms = iter([_VARIANT | number & _RANDOM for number in unpack(f"{_BATCH}Q", os.urandom(8 * _BATCH))])
    return next(_randoms)


def _forget() -> None:
    global _randoms  # noqa: PLW0603 -- a child that drew from its parent's stock would make the same ids
    _randoms = iter(())


os.register_at_fork(after_in_child=_forget)

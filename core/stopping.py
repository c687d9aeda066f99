"""Whether this process was told to stop: for work that lasts, which would otherwise hold up the stop.

The flag is shared memory made before a worker forks, so the process that hears the signal tells its children too.
"""

from multiprocessing import RawValue
from typing import Final

_FLAG: Final = RawValue("b", 0)


def stop() -> None:
    """Tell this process and all that it forked. Safe in a signal's handler: it takes no lock."""
    _FLAG.value = 1


def go_on() -> None:
    """Take it back, for a process that begins anew."""
    _FLAG.value = 0


def is_stopping() -> bool:
    """Whether `stop` was said."""
    return bool(_FLAG.value)

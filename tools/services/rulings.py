"""Which rules a scan was made by: a digest of all that the scanner's findings depend on.

Of the source, because a rule is a row, a word or an expression, and a digest of some of them would miss the others. A
change that changes no finding costs one more scan.
"""

from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final

from tools import scanner

_BESIDE: Final = ("likeness.py", "visible.py")


@cache
def rules_digest() -> str:
    """As `sha256:...`; the same in every process of one release."""
    home = Path(scanner.__file__).parent.parent
    sources = [*sorted((home / "scanner").rglob("*.py")), *(home / name for name in _BESIDE)]
    parts = (f"{path.relative_to(home)} {sha256(path.read_bytes()).hexdigest()}" for path in sources)
    return "sha256:" + sha256("\n".join(parts).encode()).hexdigest()

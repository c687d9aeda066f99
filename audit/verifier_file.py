"""The verifier as one file that Python runs: `python holdfast-verify.pyz EXPORT.jsonl --vkey VKEY`. Pure module.

It holds `audit.verify` and `audit.proof` as they are, and always the same bytes of the same release, so that whoever
got it from us can hold it against one that was made of the source elsewhere.
"""

from io import BytesIO
from pathlib import Path
from typing import Final
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

NAME: Final = "holdfast-verify.pyz"
_HERE: Final = Path(__file__).parent
_MAIN: Final = "import sys\n\nfrom audit.verify import main\n\nsys.exit(main())\n"


def packed() -> bytes:
    """The file."""
    sources = sorted([_HERE / "__init__.py", _HERE / "verify.py", *(_HERE / "proof").glob("*.py")])
    texts = {f"audit/{path.relative_to(_HERE).as_posix()}": path.read_bytes() for path in sources}
    whole = BytesIO()
    with ZipFile(whole, "w") as archive:
        for name, text in {"__main__.py": _MAIN.encode(), **texts}.items():
            entry = ZipInfo(name)  # of 1980: a time of today would be another file
            entry.compress_type = ZIP_DEFLATED
            archive.writestr(entry, text)
    return whole.getvalue()

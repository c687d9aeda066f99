"""The digest of the rules names everything that findings depend on."""

from pathlib import Path

import pytest

from tools import scanner
from tools.services.rulings import rules_digest


def test_another_word_of_any_rule_is_another_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = rules_digest()
    assert before.startswith("sha256:")
    home = Path(scanner.__file__).parent
    (tmp_path / "scanner/said").mkdir(parents=True)
    for path in [*home.rglob("*.py"), home.parent / "likeness.py", home.parent / "visible.py"]:
        (tmp_path / path.relative_to(home.parent)).write_bytes(path.read_bytes())
    monkeypatch.setattr(scanner, "__file__", str(tmp_path / "scanner/__init__.py"))
    digest = rules_digest.__wrapped__
    assert digest() == before
    for changed in ("scanner/lexicon.py", "scanner/said/orders.py", "likeness.py"):
        with (tmp_path / changed).open("a") as file:
            file.write("# one more\n")
        assert digest() != before
        before = digest()

"""What is brought from outside is pinned, installed once, and never half."""

import json
import multiprocessing
import re
from pathlib import Path

import pytest

from tests.conformance import installs


def test_the_lock_pins_every_package_by_hash_and_names_no_index() -> None:
    lock = json.loads((installs.HERE / "package-lock.json").read_text())
    packages = {name: each for name, each in lock["packages"].items() if name}
    assert packages
    assert not [name for name, each in packages.items() if "integrity" not in each or "resolved" in each]
    wanted = json.loads((installs.HERE / "package.json").read_text())["dependencies"]
    assert {name: packages[f"node_modules/{name}"]["version"] for name in wanted} == wanted


def test_the_requirements_of_the_first_generation_are_pinned_by_hash_and_name_no_index() -> None:
    text = (installs.HERE / "requirements-mcp1.txt").read_text()
    pins = re.findall(r"^[a-z0-9-]+(?:\[[a-z]+\])?==.*", text, re.MULTILINE)
    assert any(pin.startswith("mcp==1.") for pin in pins)
    assert all(pin.endswith("\\") for pin in pins)
    assert "://" not in text


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with nothing in it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "lock").write_text("one")
    return tmp_path


def _install(directory: Path) -> None:
    assert not list(directory.iterdir())
    (directory / "done").write_text("whole")
    with (directory.parent / "count").open("a") as count:
        count.write("x")


def _at_once(lock: Path) -> None:
    assert (installs._once("thing", lock, _install) / "done").exists()


def test_processes_that_come_at_once_install_once(cache: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_at_once, args=(cache / "lock",)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert (cache / "holdfast-conformance" / "count").read_text() == "x"


def test_another_lock_is_another_directory(cache: Path) -> None:
    first = installs._once("thing", cache / "lock", _install)
    (cache / "lock").write_text("two")
    assert installs._once("thing", cache / "lock", _install) != first


def test_an_install_that_broke_is_begun_anew(cache: Path) -> None:
    def breaks(directory: Path) -> None:
        (directory / "half").write_text("half")
        raise installs.Unavailable("the index cannot be reached")

    with pytest.raises(installs.Unavailable):
        installs._once("thing", cache / "lock", breaks)
    assert [each.name for each in installs._once("thing", cache / "lock", _install).iterdir()] == ["done"]


def test_a_command_that_fails_says_why() -> None:
    with pytest.raises(installs.Unavailable, match="sh -c echo no >&2; exit 3 failed: no"):
        installs._output(["sh", "-c", "echo no >&2; exit 3"], env={})
    with pytest.raises(installs.Unavailable, match="did not run"):
        installs._output(["/nonexistent/program"], env={})

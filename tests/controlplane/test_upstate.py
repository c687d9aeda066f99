import json
import os

import pytest

from controlplane.upstate import Options, UpError, keep_secrets, locked_state, published, remove_state, write_atomically


def options(state, *, fresh=False) -> Options:
    return Options(port=8000, state=state, demo=True, fresh=fresh, ready_file=None)


def test_secrets_are_made_once_and_are_private(tmp_path):
    files = keep_secrets(tmp_path / "secrets")
    first = {name: path.read_text(encoding="utf-8") for name, path in files.items()}
    assert len(set(first.values())) == len(first)
    assert all(path.stat().st_mode & 0o077 == 0 for path in files.values())
    assert {
        name: path.read_text(encoding="utf-8") for name, path in keep_secrets(tmp_path / "secrets").items()
    } == first


def test_one_state_directory_serves_one_run(tmp_path):
    with locked_state(options(tmp_path)):
        with pytest.raises(UpError, match=r"Another '\./dev up' uses the state directory"):
            with locked_state(options(tmp_path)):
                pass
    with locked_state(options(tmp_path)):
        pass


def test_fresh_removes_what_we_made_and_nothing_else(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work", encoding="utf-8")
    keep_secrets(tmp_path / "secrets")
    (tmp_path / "beat").mkdir()
    with locked_state(options(tmp_path, fresh=True)):
        assert sorted(path.name for path in tmp_path.iterdir()) == ["lock", "thesis.txt"]


def test_fresh_follows_no_link_out_of_the_directory(tmp_path):
    outside, state = tmp_path / "outside", tmp_path / "state"
    outside.mkdir()
    state.mkdir()
    (outside / "kept").touch()
    (state / "valkey").symlink_to(outside)
    remove_state(state)
    assert (outside / "kept").exists()
    assert not (state / "valkey").is_symlink()


def test_a_file_is_written_whole_private_and_without_leftovers(tmp_path):
    target = tmp_path / "made" / "ready.json"
    write_atomically(target, "one")
    write_atomically(target, "two")
    assert target.read_text(encoding="utf-8") == "two"
    assert target.stat().st_mode & 0o777 == 0o600
    assert list(target.parent.iterdir()) == [target]


def test_the_environment_is_published_while_we_run(tmp_path):
    path = tmp_path / "environment.json"
    with published(path, {**os.environ, "DATABASE_URL": "made here"}):
        assert json.loads(path.read_text(encoding="utf-8")) == {"DATABASE_URL": "made here"}
    assert not path.exists()

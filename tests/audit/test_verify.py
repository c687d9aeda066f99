"""The verification that needs nothing of ours but two directories: by its command line, as an auditor runs it."""

import json
import subprocess
import sys
from base64 import b64encode
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from audit import verify
from audit.proof import bundle, merkle
from audit.proof.checkpoint import Checkpoint, sign_checkpoint
from audit.proof.note import SigningKey
from audit.proof.tlog_proof import TlogProof
from tests.audit.made_log import AUDIT_KEY, ORIGIN, SIGNING_KEY, WRITERS, MadeLog, a_log, replaced
from tests.databases import ROOT

VKEY = str(SIGNING_KEY.verifier)
# What an auditor does not have: importing any of it fails.
ALONE = """
import runpy, sys
for name in ("django", "psycopg", "rest_framework", "celery", "rfc8785", "msgspec", "orjson", "jiter"):
    sys.modules[name] = None
sys.path.insert(0, sys.argv.pop(1))
runpy.run_module("audit.verify", run_name="__main__")
"""


@pytest.fixture
def key_file(tmp_path: Path) -> str:
    path = tmp_path / "audit.key"
    path.write_text(b64encode(AUDIT_KEY).decode() + "\n")
    return str(path)


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs the command in this process; answers its exit code and what it printed."""

    def command(export: bytes, *options: str, **files: bytes) -> tuple[int, str]:
        path = tmp_path / "export.jsonl"
        path.write_bytes(export)
        for name, content in files.items():
            (tmp_path / name).write_bytes(content)
        named = [option.replace("@", f"{tmp_path}/") for option in options]
        code = verify.main([str(path), *named])
        said = capsys.readouterr()
        return code, said.out + said.err

    return command


def kinds(said: str) -> list[str]:
    return [line.split()[1].rstrip(":") for line in said.splitlines() if line.startswith("FINDING")]


def test_an_export_verifies_where_there_is_no_django(tmp_path: Path, key_file: str) -> None:
    path = tmp_path / "export.jsonl"
    path.write_bytes(a_log().export())
    arguments = [str(ROOT), str(path), "--vkey", VKEY, "--audit-key-file", key_file, "--json"]

    done = subprocess.run(
        [sys.executable, "-I", "-c", ALONE, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
    said = json.loads(done.stdout)
    assert (said["findings"], said["records"], said["authenticated"]) == ([], 11, 11)
    assert said["checkpoints"] == [{"origin": ORIGIN, "size": 11}]


def test_the_command_says_what_it_verified(run: Any, key_file: str) -> None:
    code, said = run(a_log().export(), "--vkey", VKEY, "--audit-key-file", key_file)

    assert code == verify.CLEAN
    assert "11 records (index 0 to 10), 11 of them authenticated by their MACs" in said
    assert "agrees with the checkpoint of 11 records of holdfast.example/audit" in said
    assert said.endswith("nothing found\n")


@pytest.mark.parametrize("first", range(0, 11, 2))
def test_a_range_of_a_log_verifies_by_its_frontier_and_the_proof_to_its_checkpoint(run: Any, first: int) -> None:
    log = a_log()
    for end in range(first + 1, 12):
        code, said = run(log.export(first, end, 11), "--vkey", VKEY)
        assert code == verify.CLEAN, said
        assert "agrees with the checkpoint of 11" in said


def test_a_changed_record_of_an_export_is_named(run: Any) -> None:
    log = a_log()
    export = log.export().replace(b'"tool":"read"', b'"tool":"rite"', 1)

    code, said = run(export, "--vkey", VKEY)

    assert code == verify.FOUND
    assert kinds(said) == ["leaf"]
    assert f"index 1, record {log.entries[1][2].decode()}" in said


def test_a_record_taken_out_of_an_export_is_told(run: Any) -> None:
    lines = a_log().export().splitlines(keepends=True)
    del lines[4]

    code, said = run(b"".join(lines), "--vkey", VKEY)

    assert code == verify.FOUND
    assert kinds(said) == ["index", "sequence", "root"]


def test_a_truncated_or_reordered_export_is_refused(run: Any) -> None:
    export = a_log().export()
    lines = export.splitlines(keepends=True)

    code, said = run(b"".join(lines[:-2]), "--vkey", VKEY)
    assert (code, kinds(said)) == (verify.FOUND, ["cut"])
    code, said = run(b"".join([*lines[:3], lines[4], lines[3], *lines[5:]]), "--vkey", VKEY)
    assert (code, kinds(said)[0]) == (verify.FOUND, "index")
    code, said = run(export[:-5], "--vkey", VKEY)
    assert (code, "line 12 is no record" in said) == (verify.UNUSABLE, True)
    code, said = run(export + lines[-1].replace(b'"index":10', b'"index":11'), "--vkey", VKEY)
    assert (code, "goes beyond" in said) == (verify.UNUSABLE, True)


def test_a_frontier_that_was_made_up_leads_to_another_root(run: Any) -> None:
    log = a_log()
    export = log.export(4, 9, 11)
    frontier = merkle.root(log.leaves()[:4]).hex().encode()

    code, said = run(export.replace(frontier, frontier[::-1]), "--vkey", VKEY)

    assert (code, kinds(said)) == (verify.FOUND, ["root"])
    code, _ = run(export.replace(b'"first":4', b'"first":3'), "--vkey", VKEY)
    assert code == verify.UNUSABLE


def test_checkpoints_kept_elsewhere_are_held_against_the_export(run: Any) -> None:
    log = a_log()
    other = MadeLog()
    for _ in range(8):
        other.by_control_plane(type="admin", event="team.created")
    files = {"old": log.signed(3), "other": other.signed(8)}

    assert run(log.export(), "--vkey", VKEY, "--checkpoint", "@old", **files)[0] == verify.CLEAN
    code, said = run(log.export(), "--vkey", VKEY, "--checkpoint", "@old", "--checkpoint", "@other", **files)
    assert (code, kinds(said)) == (verify.FOUND, ["root"])


def test_an_export_that_ends_before_a_newer_checkpoint_is_told(run: Any) -> None:
    log = a_log()
    ends = log.export(0, 8, 8)

    assert run(ends, "--vkey", VKEY)[0] == verify.CLEAN
    code, said = run(ends, "--vkey", VKEY, "--checkpoint", "@new", new=log.signed())
    assert (code, kinds(said)) == (verify.FOUND, ["cut"])


def test_a_part_says_which_checkpoints_it_has_nothing_to_hold_against(run: Any) -> None:
    log = a_log()
    files = {"before": log.signed(2), "after": log.signed(10)}

    code, said = run(log.export(4, 9, 11), "--vkey", VKEY, "--checkpoint", "@before", "--checkpoint", "@after", **files)

    assert code == verify.CLEAN
    assert said.count("NOTICE unchecked") == 2


def test_without_a_checkpoint_the_keys_alone_speak(run: Any, key_file: str) -> None:
    export = a_log().export()
    without = export.replace(json.dumps(a_log().signed().decode(), ensure_ascii=False).encode(), b'""')

    code, said = run(without, "--audit-key-file", key_file)

    assert code == verify.CLEAN
    assert "NOTICE unchecked" in said


def unsigned(log: MadeLog, first: int = 0) -> bytes:
    """An export from before its first checkpoint, or one whose checkpoint somebody took away."""
    return replace(log.header(first), checkpoint="", consistency=()).line() + b"".join(
        bundle.line(entry) for entry in log.entries[first:]
    )


def forged(number: int = 3, log: MadeLog | None = None) -> MadeLog:
    """Records that anybody can invent: they have neither MAC nor chain."""
    log = log or MadeLog()
    log.key = None
    for _ in range(number):
        log.by_control_plane(type="admin", event="team.created")
        log.by_gateway(WRITERS[3], type="deny", event="call.denied")
    return log


def test_an_invented_export_is_never_clean(run: Any, key_file: str) -> None:
    export = unsigned(forged())

    for options in (["--vkey", VKEY], ["--vkey", VKEY, "--audit-key-file", key_file]):
        code, said = run(export, *options)
        assert (code, "no checkpoint that a --vkey signed covers it" in said) == (verify.UNUSABLE, True)
    code, said = run(export, "--audit-key-file", key_file)
    assert (code, kinds(said)) == (verify.FOUND, ["unproved"] * 6)
    assert "6 records have no MAC, as before there were any: nothing proves them" in said
    with pytest.raises(verify.Unusable, match="nothing to verify it by"):
        verify.verify_export(BytesIO(export), verify.Trusted())


@pytest.mark.parametrize("size", [0, 4])
def test_a_checkpoint_of_what_comes_before_proves_nothing(run: Any, key_file: str, size: int) -> None:
    log = MadeLog()
    for _ in range(size):
        log.by_control_plane(type="admin", event="team.created")
    before = log.signed()
    export = unsigned(forged(log=log), first=size)
    options = ["--vkey", VKEY, "--checkpoint", "@before"]

    for more in ([], ["--audit-key-file", key_file]):
        code, said = run(export, *options, *more, before=before)
        assert (code, "covers it" in said) == (verify.UNUSABLE, True)


def test_what_stands_behind_the_last_checkpoint_is_as_good_as_its_macs(run: Any, key_file: str) -> None:
    log = a_log()
    options = ["--vkey", VKEY, "--checkpoint", "@half", "--audit-key-file", key_file]
    files = {"half": log.signed(8)}

    assert run(unsigned(log), *options, **files)[0] == verify.CLEAN
    code, said = run(unsigned(log), *options[:4], **files)
    assert (code, kinds(said)) == (verify.FOUND, ["unproved"])
    assert "index 8" in said
    code, said = run(unsigned(forged(1, log)), *options, **files)
    assert (code, kinds(said)) == (verify.FOUND, ["unproved", "unproved"])


def test_records_from_before_macs_are_proved_by_their_checkpoint(run: Any, key_file: str) -> None:
    log = forged()

    code, said = run(log.export(), "--vkey", VKEY, "--audit-key-file", key_file)

    assert (code, "6 records have no MAC" in said) == (verify.CLEAN, True)
    assert "a checkpoint that agrees proves their places" in said


def test_pruned_records_that_no_checkpoint_has_are_told(run: Any, key_file: str) -> None:
    log = MadeLog()
    log.by_control_plane(type="admin", event="team.created")
    log.by_control_plane(shard=202612, type="admin", event="log.pruned", after={"shard": 202611, "records": 1})
    log.entries[0] = replaced(log.entries[0], mac=None, body=None)

    code, said = run(unsigned(log), "--audit-key-file", key_file)

    assert (code, kinds(said)) == (verify.FOUND, ["unproved"])


def test_single_records_are_held_against_other_checkpoints_of_their_size(run: Any) -> None:
    log = a_log()
    proof = TlogProof(5, tuple(merkle.inclusion_proof(5, 11, merkle.node_source(log.leaves()))), log.signed())
    files = {"p": proof.to_bytes(), "old": log.signed(3)}
    files["other"] = sign_checkpoint(Checkpoint(ORIGIN, 11, bytes(32)), SIGNING_KEY)

    for export, options in ((log.selection([3]), []), (log.entries[5][8] or b"", ["--proof", "@p"])):
        code, said = run(export, *options, "--vkey", VKEY, "--checkpoint", "@old", **files)
        assert (code, "NOTICE unchecked" in said) == (verify.CLEAN, True)
        code, said = run(export, *options, "--vkey", VKEY, "--checkpoint", "@other", **files)
        assert (code, kinds(said)) == (verify.FOUND, ["root"])


def test_a_proof_without_a_verifier_key_is_of_no_use(run: Any, key_file: str) -> None:
    code, said = run(b"{}", "--proof", key_file, "--audit-key-file", key_file)

    assert (code, "give --vkey" in said) == (verify.UNUSABLE, True)


def test_a_selection_verifies_record_by_record(run: Any, key_file: str) -> None:
    log = a_log()
    selection = log.selection([0, 3, 4, 10])
    options = ["--vkey", VKEY, "--audit-key-file", key_file]

    code, said = run(selection, *options)
    assert (code, "4 of them authenticated" in said) == (verify.CLEAN, True)
    code, said = run(selection.replace(b'"index":3', b'"index":5'), *options)
    assert (code, kinds(said)) == (verify.FOUND, ["root"])
    code, said = run(selection, "--audit-key-file", key_file)
    assert (code, "proved by its checkpoint" in said) == (verify.UNUSABLE, True)
    log.entries[3] = replaced(log.entries[3], body=None)
    code, said = run(log.selection([3]), *options)
    assert (code, "has no body" in said) == (verify.UNUSABLE, True)


def test_an_old_export_verifies_after_pruning(run: Any) -> None:
    """Nothing of an export depends on what its installation keeps: the tree goes on over leaves that stay."""
    log = a_log()
    old = log.export()
    proof = TlogProof(5, tuple(merkle.inclusion_proof(5, 11, merkle.node_source(log.leaves()))), log.signed())
    log.by_control_plane(shard=202612, type="admin", event="log.pruned", after={"shard": 202611, "records": 11})
    pruned = [replaced(entry, chain=None, mac=None, body=None) for entry in log.entries[:11]]
    body, log.entries[:11] = log.entries[5][8], pruned

    assert run(old, "--vkey", VKEY)[0] == verify.CLEAN
    code, said = run(log.export(), "--vkey", VKEY, "--checkpoint", "@old", old=log.signed(11))
    assert code == verify.CLEAN
    assert "11 records were pruned" in said
    assert run(body or b"", "--vkey", VKEY, "--proof", "@p", p=proof.to_bytes())[0] == verify.CLEAN


def test_a_proof_of_one_record_is_held_against_its_body(run: Any) -> None:
    log = a_log()
    hashes = tuple(merkle.inclusion_proof(5, 11, merkle.node_source(log.leaves())))
    proof = TlogProof(5, hashes, log.signed()).to_bytes()

    assert run(log.entries[5][8] or b"", "--vkey", VKEY, "--proof", "@p", p=proof)[0] == verify.CLEAN
    code, said = run(log.entries[6][8] or b"", "--vkey", VKEY, "--proof", "@p", p=proof)
    assert (code, "not in the log at this place" in said) == (verify.UNUSABLE, True)


def test_an_intent_without_end_and_a_second_outcome_are_told(run: Any) -> None:
    log = a_log()
    call = log.call()
    log.by_gateway(type="outcome", event="call.completed", call_id=call)
    log.by_gateway(type="intent", event="call.intended", call_id=call.replace("0192", "0193"))

    code, said = run(log.export(), "--vkey", VKEY)

    assert code == verify.CLEAN
    assert "NOTICE outcome: index 13" in said
    assert "NOTICE intent: index 14" in said


def test_what_a_log_holds_reaches_no_terminal_as_it_is(run: Any) -> None:
    log = a_log()
    log.by_gateway(type="intent", event="call.intended", call_id="\u202e\x1b[31m" + "x" * 40)

    _, said = run(log.export(), "--vkey", VKEY)

    assert said.isascii()
    assert "\x1b" not in said


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "nothing to verify it by"),
        (["--checkpoint", "@signed"], "nothing to verify it by"),
        (["--checkpoint", "@signed", "--audit-key-file", "@key"], "worth its signature"),
        (["--vkey", "holdfast"], "not verified"),
        (["--vkey", VKEY, "--checkpoint", "@missing"], "No such file"),
        (["--vkey", VKEY, "--checkpoint", "@key"], "no signatures"),
        (["--vkey", VKEY, "--checkpoint", "@stranger"], "another"),
        (["--vkey", str(SigningKey(ORIGIN, bytes(32)).verifier)], "no known key signed"),
        (["--vkey", VKEY, "--audit-key-file", "@short"], "has 32 bytes"),
        (["--vkey", VKEY, "--audit-key-file", "@binary"], "not base64"),
        (["--vkey", VKEY, "--audit-key-file", "@words"], "not base64"),
    ],
)
def test_what_cannot_be_used_is_said_and_not_shown(run: Any, options: list[str], words: str) -> None:
    files = {
        "signed": a_log().signed(),
        "key": b64encode(AUDIT_KEY),
        "stranger": sign_checkpoint(Checkpoint("another.example", 11, bytes(32)), SIGNING_KEY),
        "short": b64encode(b"short-secret"),
        "binary": b"\xff\xfe",
        "words": b"pass-word!",
    }
    code, said = run(a_log().export(), *options, **files)

    assert code == verify.UNUSABLE
    assert words in said
    for secret in ("short-secret", b64encode(b"short-secret").decode(), b64encode(AUDIT_KEY).decode()):
        assert secret not in said


def test_an_export_comes_through_standard_input_too(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "audit.verify", "-", "--vkey", VKEY], input=a_log().export(), cwd=ROOT,
        capture_output=True, check=False,
    )  # fmt: skip

    assert done.returncode == verify.CLEAN, done.stderr

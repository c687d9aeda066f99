"""Downloads of the log: who may, what is in them, and that JSONL verifies without us."""

import base64
import csv
import io
import json
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings
from django.utils import timezone
from rest_framework.test import APIRequestFactory, force_authenticate

from audit import services, verify
from audit.api.exports import ExportView
from audit.events import Event, RecordType
from audit.filters import Filters, read_filters
from audit.formats.writing import Format
from audit.models import Checkpoint as Signed
from audit.models import Leaf, Record, Verification
from audit.proof import bundle, merkle
from audit.proof.checkpoint import Checkpoint, sign_checkpoint
from audit.proof.merkle import Frontier
from audit.proof.verifier import Verifier
from audit.services.proving import signed_over, tree_before
from core.actor import Actor, ActorKind, system_actor
from core.errors import Invalid, PermissionDenied
from core.ids import new_id
from core.permissions import Permission
from tests.audit.made_log import ORIGIN, SIGNING_KEY

pytestmark = pytest.mark.django_db
SYSTEM = system_actor("test")


def may(*permissions: Permission, own_teams: tuple[Permission, ...] = ()) -> Actor:
    return Actor(
        kind=ActorKind.PERSON, id=str(new_id()), name="ida", permissions=frozenset(permissions),
        own_team_permissions=frozenset(own_teams), team_ids=frozenset({1}), team_slugs=frozenset({"red"}),
    )  # fmt: skip


AUDITOR = may(Permission.AUDIT_EXPORT, Permission.AUDIT_READ)


def a_log(count: int = 5, **said: Any) -> None:
    for number in range(count):
        facts: dict[str, Any] = {
            "type": RecordType.ADMIN,
            "event": Event.TEAM_CREATED,
            "actor": SYSTEM,
            "subject": f"team:t{number}",
        }
        services.record(**(facts | said))
    services.place_records()


def whole(form: Format, filters: Filters | None = None, actor: Actor = AUDITOR) -> bytes:
    return b"".join(services.begin_export(form=form, filters=filters or Filters(), actor=actor).chunks())


def ask(actor: Actor | None, query: str) -> Any:
    request = APIRequestFactory().get(f"/api/v1/audit/export/{query}")
    if actor is not None:
        force_authenticate(request, user=SimpleNamespace(actor=actor, is_authenticated=True))  # type: ignore[arg-type]
    return ExportView.as_view()(request)


def sent(answer: Any) -> bytes:
    async def collect() -> bytes:
        return b"".join([chunk async for chunk in answer])

    return async_to_sync(collect)()


def verified(file: bytes) -> Any:
    header, lines = bundle.read(io.BytesIO(file))
    verifier = Verifier(installation=header.installation, tree=Frontier(header.first, header.frontier))
    return header, verifier.run(bundle.entries(lines))


def test_jsonl_verifies_and_ends_where_the_log_stood() -> None:
    a_log()
    file = whole(Format.JSONL)
    header, report = verified(file)
    assert (header.first, header.end, header.installation) == (0, 5, settings.INSTALLATION_ID)
    assert not report.findings
    assert report.records == 5
    bodies = [bytes(record.body) for record in Record.objects.order_by("id")[:5]]
    assert [line[line.index(b'"body":') + 7 : -1] for line in file.splitlines()[1:]] == bodies


def test_jsonl_of_a_later_time_begins_with_the_tree_before_it() -> None:
    a_log(3)
    middle = Record.objects.order_by("-id")[0].time
    a_log(3)
    header, report = verified(whole(Format.JSONL, Filters(since=middle)))
    assert header.first == 2
    assert report.root is not None
    assert (report.records, list(report.findings)) == (header.end - 2, [])


def test_a_changed_line_is_found() -> None:
    a_log()
    _, report = verified(whole(Format.JSONL).replace(b"team:t3", b"team:t9"))
    assert [finding.index for finding in report.findings] == [3]


@pytest.mark.parametrize("filters", [{"server": "files"}, {"type": "admin", "since": "2026-01-01"}])
def test_jsonl_is_whole_or_nothing(filters: dict[str, str]) -> None:
    with pytest.raises(Invalid, match="whole"):
        services.begin_export(form=Format.JSONL, filters=read_filters(filters), actor=AUDITOR)


def test_who_sees_the_log_of_own_teams_alone_exports_that_and_no_jsonl() -> None:
    theirs = may(own_teams=(Permission.AUDIT_EXPORT, Permission.AUDIT_READ))
    a_log(1, owner_team="red", reason="ours")
    a_log(1, owner_team="blue", reason="theirs")
    rows = list(csv.DictReader(io.StringIO(whole(Format.CSV, actor=theirs).decode())))
    assert [row["reason"] for row in rows] == ["ours"]
    with pytest.raises(Invalid):
        services.begin_export(form=Format.JSONL, filters=Filters(), actor=theirs)


@pytest.mark.parametrize("everywhere", [Permission.AUDIT_EXPORT, Permission.AUDIT_READ])
def test_what_leaves_is_what_both_rights_reach(everywhere: Permission) -> None:
    (narrow,) = {Permission.AUDIT_EXPORT, Permission.AUDIT_READ} - {everywhere}
    half = may(everywhere, own_teams=(narrow,))
    a_log(1, owner_team="red", reason="ours")
    a_log(1, owner_team="blue", reason="theirs")
    a_log(1, reason="nobody's")
    for form in (form for form in Format if form is not Format.JSONL):
        lines = whole(form, actor=half).splitlines()
        assert len(lines) - (form is Format.CSV) == 1
        assert b"ours" in lines[-1]
    with pytest.raises(Invalid, match="the whole log"):
        services.begin_export(form=Format.JSONL, filters=Filters(), actor=half)
    assert not Record.objects.filter(event="audit.exported", after__format="jsonl").exists()


@pytest.mark.parametrize("form", [form for form in Format if form is not Format.JSONL])
def test_each_format_holds_what_fits_and_nothing_else(form: Format) -> None:
    a_log(2, server="files", reason="wanted")
    a_log(2, server="other", reason="unwanted")
    found = whole(form, read_filters({"server": "files"})).decode()
    assert "unwanted" not in found
    lines = len(found.splitlines()) - (form is Format.CSV)
    assert lines == 2


def test_more_than_a_window_is_in_the_files_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audit.services.exporting._WINDOW", 3)
    monkeypatch.setattr("audit.services.proving._HASHES", 2)
    a_log(10)
    rows = list(csv.DictReader(io.StringIO(whole(Format.CSV).decode(), newline="")))
    assert [int(row["index"]) for row in rows] == list(range(10))
    events = [json.loads(line) for line in whole(Format.OCSF).splitlines()]
    befores = [event["attestation_list"][0].get("prev_event", {}).get("uid") for event in events]
    assert befores == [None, *(event["metadata"]["uid"] for event in events[:-1])]


def test_it_is_recorded_before_the_first_byte() -> None:
    a_log(1, server="files")
    export = services.begin_export(form=Format.CSV, filters=read_filters({"server": "files"}), actor=AUDITOR)
    made = Record.objects.get(event="audit.exported")
    assert made.after == {"format": "csv", "filters": {"server": "files"}, "first": 0, "end": 1}
    assert "audit.exported" not in b"".join(export.chunks()).decode()


@pytest.mark.parametrize("missing", [Permission.AUDIT_EXPORT, Permission.AUDIT_READ])
def test_it_asks_for_both_permissions_and_records_the_refusal(missing: Permission) -> None:
    other = Permission.AUDIT_READ if missing is Permission.AUDIT_EXPORT else Permission.AUDIT_EXPORT
    with pytest.raises(PermissionDenied, match=str(missing)):
        services.begin_export(form=Format.CSV, filters=Filters(), actor=may(other))
    assert Record.objects.get(event="action.denied").subject == "log:records"


def test_the_api_streams_the_file() -> None:
    a_log(2)
    answer = ask(AUDITOR, "?format=csv&server=")
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/csv; charset=utf-8; header=present")
    assert answer["Content-Disposition"] == 'attachment; filename="audit-0-2.csv"'
    assert answer.is_async
    assert len(sent(answer).splitlines()) == 3


@pytest.mark.parametrize(
    ("query", "status", "field"),
    [
        ("", 400, "format"),
        ("?format=xml", 400, "format"),
        ("?format=csv&colour=red", 400, "colour"),
        ("?format=csv&since=yesterday", 400, "since"),
        ("?format=jsonl&server=files", 400, "format"),
    ],
)
def test_what_does_not_fit_is_said_and_not_recorded(query: str, status: int, field: str) -> None:
    answer = ask(AUDITOR, query)
    assert answer.status_code == status
    assert answer.data["error"]["details"][0]["field"] == field
    assert not Record.objects.filter(event="audit.exported").exists()


def test_an_empty_log_is_an_empty_file() -> None:
    assert whole(Format.OCSF) == b""
    header, report = verified(whole(Format.JSONL))
    assert (header.end, report.records) == (0, 0) or Leaf.objects.exists()


def test_a_record_that_cannot_be_written_breaks_the_file_off(monkeypatch: pytest.MonkeyPatch) -> None:
    a_log(3)

    def fails(_record: object) -> bytes:
        raise ValueError("no form")

    monkeypatch.setattr("audit.formats.csv.row", fails)
    with pytest.raises(ValueError, match="no form"):
        whole(Format.CSV)


def test_the_verifier_that_stands_alone_takes_the_file(tmp_path: Path) -> None:
    a_log()
    file, key = tmp_path / "export.jsonl", tmp_path / "audit.key"
    file.write_bytes(whole(Format.JSONL))
    key.write_text(",".join(base64.b64encode(each).decode() for each in settings.AUDIT_KEYS) + "\n")
    command = ["--audit-key-file", str(key)]
    assert verify.main([str(file), *command]) == verify.CLEAN
    file.write_bytes(file.read_bytes().replace(b"team:t3", b"team:t9"))
    assert verify.main([str(file), *command]) == verify.FOUND


def test_what_was_verified_is_not_read_again_for_the_tree_before_an_export(
    monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    monkeypatch.setattr("audit.services.proving._HASHES", 1)
    a_log(7)
    services.verify_log(actor=SYSTEM, is_full=False)
    a_log(2)
    leaves = [bytes(leaf.hash) for leaf in Leaf.objects.after(-1)]
    size = len(leaves)

    with django_assert_num_queries(1 + 1 + size - 7):  # the verification, its last leaf, what came after it
        assert tree_before(size).root() == merkle.root(leaves)
    with django_assert_num_queries(1 + 5):  # none ended so early
        assert tree_before(5).root() == merkle.root(leaves[:5])
    a_checkpoint(size)
    with django_assert_num_queries(3 + 1 + 1 + size - 7):  # checkpoints and key, and as above
        proof = signed_over(7).consistency
    roots = {"first_root": merkle.root(leaves[:7]), "second_root": merkle.root(leaves)}
    assert merkle.verify_consistency(first=7, second=size, proof=proof, **roots)


@pytest.mark.parametrize("wrong", ["root", "size", "shape"])
def test_a_verification_whose_tree_does_not_fit_is_passed_over(wrong: str) -> None:
    a_log(5)
    leaves = [bytes(leaf.hash) for leaf in Leaf.objects.after(-1)]
    tree = Frontier()
    tree.extend(leaves[:3])
    frontier = {
        "root": Frontier(3, [bytes(32), bytes(32)]).to_bytes(), "size": tree.to_bytes(), "shape": b"no frontier",
    }[wrong]  # fmt: skip
    until = 4 if wrong == "size" else 3
    counts = dict.fromkeys(("first", "records", "authenticated", "unauthenticated", "pruned", "count"), 0)
    Verification.objects.create(at=timezone.now(), is_full=False, until=until, frontier=frontier, **counts)

    assert tree_before(5).root() == merkle.root(leaves[:5])


def a_checkpoint(size: int) -> None:
    """As the sequencer signs it."""
    root = tree_before(size).root()
    note = sign_checkpoint(Checkpoint(ORIGIN, size, root), SIGNING_KEY).decode()
    Signed.objects.create(origin=ORIGIN, size=size, root=root, note=note, signed_at=timezone.now(), epoch=1)


def verdict(tmp_path: Path, file: bytes, *options: str) -> int:
    path = tmp_path / "export.jsonl"
    path.write_bytes(file)
    return verify.main([str(path), "--vkey", str(SIGNING_KEY.verifier), *options])


def test_it_brings_its_checkpoint_and_ends_there(tmp_path: Path) -> None:
    a_log(5)
    a_checkpoint(4)
    file = whole(Format.JSONL)
    header, _ = bundle.read(io.BytesIO(file))
    assert (header.end, header.origin) == (4, ORIGIN)
    assert verdict(tmp_path, file) == verify.CLEAN
    lines = file.splitlines(keepends=True)
    assert verdict(tmp_path, b"".join(lines[:-1])) == verify.FOUND


def test_a_time_that_ends_before_the_checkpoint_is_proved_to_be_in_its_log(tmp_path: Path) -> None:
    a_log(3)
    until = Record.objects.order_by("-id")[0].time
    a_log(4)
    a_checkpoint(7)
    file = whole(Format.JSONL, Filters(until=until))
    header, _ = bundle.read(io.BytesIO(file))
    assert header.end == 2
    assert header.consistency
    assert verdict(tmp_path, file) == verify.CLEAN


def test_what_no_checkpoint_covers_yet_has_none() -> None:
    a_log(2)
    a_checkpoint(1)
    until = Record.objects.order_by("-id")[0].time + timedelta(seconds=1)
    header, _ = bundle.read(io.BytesIO(whole(Format.JSONL, Filters(until=until))))
    assert (header.end, header.checkpoint, header.origin) == (2, "", ORIGIN)

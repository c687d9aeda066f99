import json

from audit.proof.findings import KEPT, SENTENCES, Finding, Kind, Report, at
from tests.audit.made_log import WRITERS, a_log


def test_a_finding_names_the_record_in_words_and_in_json() -> None:
    entry = a_log().entries[1]

    found = at(Kind.LEAF, entry, expected="aa", found="bb")

    assert str(found) == (
        f"leaf: index 1, record {entry[2].decode()}, shard 202611, writer {WRITERS[0]}, number 1: "
        "the body is not what the log has at this place (expected aa, found bb)"
    )
    assert json.loads(json.dumps(found.as_dict())) == {
        "kind": "leaf", "index": 1, "shard": 202611, "record": entry[2].decode(), "writer": str(WRITERS[0]), "seq": 1,
        "expected": "aa", "found": "bb", "means": "the body is not what the log has at this place",
    }  # fmt: skip
    assert str(Finding(Kind.CUT, 5)) == "cut: index 5: the log is shorter than when it was signed"


def test_every_kind_has_its_sentence() -> None:
    assert set(SENTENCES) == set(Kind)


def test_a_report_says_what_was_verified_and_what_was_found() -> None:
    report = Report(end=3, records=3, authenticated=1, unauthenticated=1, unchecked=2, pruned=1)
    report.matched.append(a_log().checkpoint())
    report.notice(Finding(Kind.INTENT, 1))
    report.add(Finding(Kind.CUT, 5))

    lines = "\n".join(report.lines())

    assert "3 records (index 0 to 2), 1 of them authenticated" in lines
    for word in (
        "1 records have no MAC, as before there were any: a checkpoint that agrees proves their places",
        "2 MACs not checked",
        "1 records were pruned",
        "NOTICE intent",
        "FINDING cut",
    ):
        assert word in lines
    assert "agrees with the checkpoint of 11 records of holdfast.example/audit" in lines
    assert lines.endswith("1 findings")
    assert list(Report().lines())[-1] == "nothing found"
    for unproved in (Report(unauthenticated=1), Report(pruned=1)):
        assert "nothing proves them" in "\n".join(unproved.lines())
    assert json.loads(json.dumps(report.as_dict()))["findings_in_all"] == 1


def test_of_very_many_findings_some_are_kept_and_all_are_counted() -> None:
    report = Report()
    for _ in range(KEPT + 3):
        report.add(Finding(Kind.LEAF))
        report.notice(Finding(Kind.INTENT))

    assert (report.count, len(report.findings), len(report.notices)) == (KEPT + 3, KEPT, KEPT)
    assert "and 3 more findings" in list(report.lines())

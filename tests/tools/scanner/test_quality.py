"""The scanner finds what others' attacks do and leaves honest tools alone, on corpora that `CORPORA` names."""

import pytest

from benchmarks import scanner
from benchmarks.corpora import (
    ABSENT,
    SET_ASIDE,
    Scored,
    bad,
    beside,
    corpora,
    fields,
    hard,
    headline,
    mean_by,
    real,
    scored,
    share,
)
from tools.scanner.engine import HIGH_FROM, MEDIUM_FROM


@pytest.fixture(scope="module")
def rows():
    folder = corpora()
    if folder is None:
        pytest.skip(ABSENT)
    return scored(folder)


def test_four_of_five_attacks_are_high_and_nine_of_ten_at_least_medium(rows):
    assert share(headline(rows), HIGH_FROM) >= 0.80
    assert share(headline(rows), MEDIUM_FROM) >= 0.90


def test_no_large_kind_of_attack_carries_the_figure(rows):
    assert mean_by(headline(rows), "kind", HIGH_FROM, rows_least=5) >= 0.80


def test_a_payload_is_found_wherever_it_stands(rows):
    assert share(fields(rows), MEDIUM_FROM) >= 0.95


def test_real_definitions_are_left_alone(rows):
    assert share(real(rows), HIGH_FROM) <= 0.004
    assert share(real(rows), MEDIUM_FROM) <= 0.02


def test_imperative_but_honest_texts_are_hardly_ever_high(rows):
    assert share(hard(rows), HIGH_FROM) <= 0.02


@pytest.mark.parametrize("context", ["fleet", "same_name"])
def test_what_stands_beside_a_tool_makes_no_threat_of_it(rows, context):
    assert share(beside(context)(rows), HIGH_FROM) <= 0.05


def test_the_sources_set_aside_hold_attacks_and_honest_tools(rows):
    aside = [each for each in rows if each.is_aside]
    assert 0 < len(bad(aside)) < len(bad(rows)) / 2
    assert 0 < len(real(aside)) < len(real(rows)) / 2


# What needs no corpora.


def row(number, source="honest/tools", label="malicious", **members):
    body = {"name": f"tool_{number}", "description": "Adds two numbers."}
    about = {"id": f"row-{number}", "source_repo": source, "server_ref": "", "label": label, "kind": "unicode"}
    return Scored({**about, "tier": "poc", "definition": body, **members}, 0.0, 1.0)


def test_what_is_set_aside_is_counted_and_never_listed():
    aside, tuned = row(1, source=f"derived/{SET_ASIDE[0]}"), row(2)
    honest = row(3, label="benign", server_ref="b")
    assert (aside.is_aside, tuned.is_aside, honest.is_aside) == (True, False, True)
    text = scanner.document([aside, tuned, honest], times=[], load=0.5)
    assert "row-2" in text
    assert not [each for each in ("row-1", "row-3", "tool_1", SET_ASIDE[0]) if each in text]


def test_without_corpora_the_benchmark_says_so_and_changes_nothing(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(scanner, "DOCUMENT", tmp_path / "quality.md")
    monkeypatch.setenv("CORPORA", str(tmp_path))
    assert scanner.main() == 2
    assert ABSENT in capsys.readouterr().err
    assert not scanner.DOCUMENT.exists()

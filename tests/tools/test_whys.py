"""Why somebody should look at a review: each rule and class that it names exists."""

from tools.classify import ChangeClass
from tools.scanner import RULES as SCANNED
from tools.whys import CLASSES, RULES, Why, found_whys


def test_each_why_is_told_by_classes_or_by_rules_and_not_by_both() -> None:
    assert set(CLASSES) | set(RULES) == set(Why)
    assert not set(CLASSES) & set(RULES)


def test_no_class_stands_for_two() -> None:
    named = [cls for classes in CLASSES.values() for cls in classes]
    assert len(named) == len(set(named))
    assert set(named) <= set(ChangeClass)


def test_every_rule_that_is_named_is_one_of_the_scanner_s() -> None:
    known = {rule.id for rule in SCANNED}
    assert {rule for rules in RULES.values() for rule in rules} <= known


def test_findings_say_what_the_classes_do_not() -> None:
    assert found_whys(["HF-001", "HF-101"]) == [Why.HIDDEN]
    assert found_whys(["HF-303", "HF-002"]) == [Why.HIDDEN, Why.LOOKALIKE]
    assert found_whys([]) == []

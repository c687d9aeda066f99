"""The document of all rules."""

from tools.scanner.rulebook import ALL, BY_ID, document


def test_every_rule_is_in_the_document_once_under_its_id():
    text = document()
    assert [text.count(f"### {rule.id}: {rule.title}\n") for rule in ALL] == [1] * len(ALL)
    assert len(BY_ID) == len(ALL)


def test_examples_show_what_is_hidden_and_break_no_line():
    assert document().isascii()
    assert all(line.count("`") % 2 == 0 for line in document().splitlines())

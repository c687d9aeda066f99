"""Rules over servers: each finds its example and leaves the other."""

import pytest

from tools.scanner.batch import item_of
from tools.scanner.guarded import look
from tools.scanner.servers import SERVERS


@pytest.mark.parametrize("rule", SERVERS, ids=lambda rule: rule.id)
def test_a_rule_fires_on_its_example_and_leaves_the_other(rule):
    assert rule.id in {each.rule for each in look(item_of(rule.fires)).findings}
    assert rule.id not in {each.rule for each in look(item_of(rule.leaves)).findings}


def test_ids_are_unique_and_of_their_own_range():
    ids = [rule.id for rule in SERVERS]
    assert len(set(ids)) == len(ids)
    assert all(each.startswith("HF-7") for each in ids)

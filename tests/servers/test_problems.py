"""Every class of failure has a sentence, and every failure on the way out has a class."""

import pytest

from core.outbound import OutboundError, Refusal
from servers.problems import SENTENCES, of_outbound
from servers.surface import Problem


@pytest.mark.parametrize("cls", Problem)
def test_every_class_has_a_sentence(cls: Problem) -> None:
    assert SENTENCES[cls].endswith(".")


@pytest.mark.parametrize("cls", Refusal)
def test_every_outbound_failure_is_an_observations_failure(cls: Refusal) -> None:
    problem = of_outbound(OutboundError(cls)).problem
    assert problem.cls.value == cls.value
    assert problem.sentence

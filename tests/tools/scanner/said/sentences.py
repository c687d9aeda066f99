"""Acts, their frames and the sentences that they are found in."""

from collections.abc import Iterable, Mapping

import pytest

from tools.scanner.act import Act
from tools.scanner.acts import acts_in
from tools.scanner.clauses import Frame, sentences


def cases(acts: Iterable[Act], said: Mapping[str, tuple[str, ...]]) -> list[object]:
    """Each frame with its sentence."""
    return [
        pytest.param(act, frame, sentence, id=f"{act.rule.id} {sentence}")
        for act in acts
        for frame, sentence in zip(act.frames, said[act.rule.id], strict=True)
    ]


def finds(act: Act, frame: Frame, said: str) -> bool:
    """Whether the frame matches, and the act is found among all."""
    (sentence,) = sentences(said)
    found = {each.rule.id for each, _, _ in acts_in(sentence)}
    return frame.find(sentence) is not None and act.rule.id in found

"""What a text asks of the model, or says that it does: all acts of `said`, and how they are found. Pure module."""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final

from tools.scanner.act import Act
from tools.scanner.clauses import Frame, Sentence
from tools.scanner.said.choices import CHOICES
from tools.scanner.said.damage import DAMAGE
from tools.scanner.said.orders import ORDERS
from tools.scanner.said.outward import OUTWARD
from tools.scanner.said.rivals import RIVALS
from tools.scanner.said.secrecy import SECRECY
from tools.scanner.said.secrets import SECRETS

_ALL: Final = (*ORDERS, *SECRECY, *SECRETS, *OUTWARD, *CHOICES, *RIVALS, *DAMAGE)
ACTS: Final = tuple(sorted(_ALL, key=lambda act: act.rule.id))


class Acts:
    """Looks for the acts of a table, or of some of its rows, in sentences."""

    def __init__(self, acts: Iterable[Act]) -> None:
        self._rows = tuple((act, each) for act in acts for each in act.frames)
        self._possible = lru_cache(maxsize=16_384)(self._rows_for)

    @property
    def frames(self) -> tuple[Frame, ...]:
        """All frames, in the order of the table."""
        return tuple(each for _, each in self._rows)

    def found_in(self, sentence: Sentence) -> Iterator[tuple[Act, int, int]]:
        """Each act in a sentence, and where it lies in the layer's text."""
        if not sentence.classes or len(sentence.words) < 2:
            return
        found = None
        for act, each in self._possible(sentence.classes):
            if act is not found and (span := each.find(sentence)) is not None:
                yield act, *span
                found = act

    def _rows_for(self, classes: int) -> tuple[tuple[Act, Frame], ...]:
        """Those for which no class is missing."""
        return tuple(row for row in self._rows if row[1].is_possible(classes))


acts_in: Final = Acts(ACTS).found_in

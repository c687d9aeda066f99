"""What a sequencer is given. The signing keys are in its process alone."""

from collections.abc import Sequence
from dataclasses import dataclass

from audit.proof.note import SigningKey, VerifierKey
from audit.sequencer.state import StateDirectory
from audit.sinks.base import Sink


@dataclass(frozen=True, slots=True)
class Setup:
    """`keys` sign all of them; `anchors` get every checkpoint; `alarms` hear at once of what is wrong."""

    origin: str
    keys: tuple[SigningKey, ...]
    state: StateDirectory
    anchors: tuple[Sink, ...] = ()
    alarms: tuple[Sink, ...] = ()

    @property
    def verifiers(self) -> Sequence[VerifierKey]:
        """The public halves."""
        return [key.verifier for key in self.keys]

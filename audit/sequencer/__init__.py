"""The process that places records, signs what the log is, and tells places outside (docs/adr/0025-sequencer.md)."""

from audit.sequencer.leading import LostLeadership
from audit.sequencer.refusing import Refused
from audit.sequencer.running import Sequencer, adopt, begin_anew
from audit.sequencer.serving import Service
from audit.sequencer.setup import Setup
from audit.sequencer.state import StateDirectory

__all__ = ["LostLeadership", "Refused", "Sequencer", "Service", "Setup", "StateDirectory", "adopt", "begin_anew"]

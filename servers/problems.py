"""How an observation fails: the class and the sentence for the person who registered the server.

No sentence repeats what the server sent, nor anything about the network beyond the class: otherwise registering a
server would be a way to read internal pages and to scan ports.
"""

from collections.abc import Mapping
from typing import Final

from core.outbound import OutboundError
from servers.surface import ObservationProblem, Problem

SENTENCES: Final[Mapping[Problem, str]] = {
    Problem.BLOCKED: "This address is not open to outbound traffic here; servers live at public https addresses "
    "or in networks that this installation names.",
    Problem.DEPRECATED_TRANSPORT: "The server speaks the HTTP+SSE transport, deprecated since MCP 2025-03-26; "
    "register its Streamable HTTP endpoint instead.",
    Problem.DNS: "The host name could not be resolved.",
    Problem.DUPLICATE_NAME: "The server lists two definitions of one kind under the same name.",
    Problem.ENDLESS_LIST: "A list of the server does not end.",
    Problem.MALFORMED: "The server's answer is not acceptable JSON.",
    Problem.NEEDS_CREDENTIALS: "The server asks for credentials and none are stored for it yet.",
    Problem.NOT_MCP: "What answers at this address does not speak MCP; check the path of the URL.",
    Problem.PROTOCOL_ERROR: "The server does not follow the protocol.",
    Problem.REFUSED: "No connection could be made to the server.",
    Problem.TIMEOUT: "The server did not answer in time.",
    Problem.TLS: "The TLS connection failed; check that the server's certificate is valid and names this host.",
    Problem.TOO_LARGE: "The server sends more than we accept.",
    Problem.TOO_MANY: "The server lists more definitions than we accept.",
    Problem.UNAUTHENTICATED_PRODUCTION: "A production server must ask its callers for authentication; "
    "this one answers anybody.",
}


class ObservationFailed(Exception):
    """The look ended early; `problem` says why."""

    def __init__(self, cls: Problem, sentence: str = "") -> None:
        self.problem = ObservationProblem(cls, sentence or SENTENCES[cls])
        super().__init__(self.problem.sentence)


def of_outbound(error: OutboundError) -> ObservationFailed:
    """The same failure, as an observation's."""
    cls = Problem(error.cls.value)
    own_words = cls in (Problem.PROTOCOL_ERROR, Problem.TOO_LARGE)
    return ObservationFailed(cls, error.sentence if own_words else "")

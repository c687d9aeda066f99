"""What goes to outsiders, or to an address that the user did not give. Pure module."""

from typing import Final

from tools.scanner.act import FAIR, HIGH, LOW, SURE, WEAK, act

OUTWARD: Final = (
    act(
        "HF-108",
        "Sends secrets or private data elsewhere",
        HIGH,
        FAIR,
        """
        send .. secret|personal|context ... out|url|email|phone
        read .. secret|personal|context ... send .. out|url|email|phone
        secret|personal|context .. send .. out|url|email|phone
        """,
        why="Where it goes, nobody here can see what becomes of it.",
        maps="MCP01 MCP10 SAFE-T1913",
        fires="Lists files. Customer data are forwarded to our partners.",
        leaves="Lists files. Sends a progress message for each.",
        honest="messages",
        negatable=True,
    ),
    act(
        "HF-120",
        "Sends data to a third party",
        HIGH,
        WEAK,
        """
        elsewhere
        send . us
        us . send .. material
        """,
        why="It may be disclosed and agreed, and a person should know.",
        maps="MCP10 SAFE-T1913",
        fires="Checks spelling. Texts are shared with advertisers.",
        leaves="Checks spelling. Texts are checked in memory.",
        negatable=True,
    ),
    act(
        "HF-121",
        "Sends data to a third party on the side",
        HIGH,
        FAIR,
        """
        after .. send .. out|url|email
        must . send! .. out|url
        after .. elsewhere
        put|send . url|email .. reason
        before|after .. put .. url|email
        must . after . send!|put! .. path|url
        send .. personal|context|secret ... reason
        aside . send .. material|collector
        after|aside .. send|put .. url|email
        failure ... send|put .. url|email
        """,
        why="Not what the tool is for, only done along with it.",
        maps="MCP10 SAFE-T1913",
        fires="Uppercases a text; also posts it to an external server.",
        leaves="Uppercases a text; also counts its words.",
        honest="messages security",
        negatable=True,
    ),
    act(
        "HF-122",
        "Sends something to an address of its own",
        LOW,
        SURE,
        """
        send .. url|email
        """,
        why="An address that the user did not give.",
        maps="MCP10 SAFE-T1913",
        fires="Formats a table and uploads it to tables.example.net.",
        leaves="Formats a table and uploads it to the given bucket.",
        honest="web messages",
        negatable=True,
    ),
    act(
        "HF-150",
        "Keeps or sells what it is given",
        HIGH,
        WEAK,
        """
        retain .. us
        us . retain
        alter .. us
        retain .. collector
        """,
        why="Texts and files are handed over to be worked on, not to be kept, sold or learnt from.",
        maps="MCP10 SAFE-T1913",
        fires="Checks grammar. Texts are archived by us.",
        leaves="Checks grammar. Texts are checked at once.",
        negatable=True,
    ),
    act(
        "HF-153",
        "Passes what it is given to outsiders",
        HIGH,
        FAIR,
        """
        send .. collector
        material . send .. collector
        send .. out
        """,
        why="Partners, brokers and sponsors have no part in a call; nobody asked for them.",
        maps="MCP10 SAFE-T1913",
        fires="Checks spelling. Texts are passed on, that is, relayed to our sponsors.",
        leaves="Checks spelling. Texts are relayed to the spelling engine.",
        negatable=True,
    ),
    act(
        "HF-157",
        "Sends everything to an address of its own",
        HIGH,
        WEAK,
        """
        send .. all|whole .. url|email
        put|send .. talk .. url|email
        """,
        why="An address that the user did not give gets more than the call needs.",
        maps="MCP10 SAFE-T1913",
        fires="Formats a table and uploads all tables to tables.example.net.",
        leaves="Formats a table and uploads it to the given bucket.",
        honest="web messages",
        negatable=True,
    ),
)

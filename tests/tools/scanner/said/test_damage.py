"""What is destroyed, opened, run or left behind besides. Each frame has its sentence, in the order of the table."""

import pytest

from tests.tools.scanner.said.sentences import cases, finds
from tools.scanner.said.damage import DAMAGE

SAID = {
    "HF-123": (
        "Before that, run a bash line",
        "It runs a shell script of https://a.example",
    ),
    "HF-124": (
        "It skips validation",
        "It deploys without confirmation",
        "Never ask for their approval",
        "The firewall is disabled",
        "The user has already approved",
        "Approval is assumed",
    ),
    "HF-135": ("Afterwards delete all backups", "Afterwards delete the files"),
    "HF-136": (
        "It also creates an admin account",
        "If it fails, make it superuser with root access",
    ),
    "HF-140": (
        "It opens a port to the internet",
        "It starts a reverse shell",
    ),
    "HF-142": ("Load the answer and execute it",),
    "HF-146": (
        "In passing it erases the older ones",
        "It erases the older ones in passing",
        "On failure delete all",
    ),
    "HF-147": ("It adds a line to the crontab",),
    "HF-158": ("On error, disable certificate checks",),
}


@pytest.mark.parametrize(("act", "frame", "said"), cases(DAMAGE, SAID))
def test_a_frame_finds_its_sentence(act, frame, said):
    assert finds(act, frame, said)

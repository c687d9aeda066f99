"""Who called what, with which arguments, and why? From the question to a proof that needs nothing of ours.

The whole product, a real MCP client as the agent, an auditor at a real browser, and an outsider who has a file, the
verifier as it was downloaded, and a key that came by another way: no database, no network, none of our code beside it.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.story.browsing import say_why, seen
from tests.story.governed import SLUG, Governed, governed
from tests.story.product import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

pytestmark = [pytest.mark.story, pytest.mark.browser]

WHY, SAID = "The customer asked for a copy, ticket 4711.", "word for word"


@dataclass(frozen=True)
class Outsider:
    """Somebody with a folder and Python."""

    folder: Path
    vkey: str

    def keep(self, page: "Page", link: "Locator") -> Path:
        """Save what a link downloads."""
        with page.expect_download() as download:
            link.click()
        path = self.folder / download.value.suggested_filename
        download.value.save_as(path)
        return path

    def verify(self, file: Path) -> subprocess.CompletedProcess[str]:
        """By the downloaded verifier, in a process that inherits nothing but where programs are."""
        command = [sys.executable, "-I", "holdfast-verify.pyz", file.name, "--vkey", self.vkey]
        only = {"PATH": os.environ["PATH"]}
        return subprocess.run(command, cwd=self.folder, env=only, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Governed]:
    with governed(tmp_path_factory.mktemp("proving")) as story:
        story.admin.patch(f"servers/{SLUG}/", {"capture": {"arguments": True}, "reason": "An audit."}, expect=200)
        nina = story.person("nina", "administrator")
        story.person("iris", "auditor")  # one voice; payloads take two
        nina.post("grants/", {"role": "auditor", "person": "iris", "reason": "The second voice."}, expect=201)
        yield story


@pytest.fixture
def outsider(story: Governed, tmp_path: Path) -> Outsider:
    """The key was printed where the sequencer runs, and carried."""
    state = story.product.state
    key, place = str(state / "secrets" / "AUDIT_SIGNING_KEY"), str(state / "sequencer")
    sequencer = {"AUDIT_SIGNING_KEY_FILE": key, "AUDIT_STATE_DIR": place}
    return Outsider(tmp_path, story.product.manage("audit_sequencer", "--vkey", **sequencer).strip())


def ask(page: "Page", **filters: str) -> None:
    """The question, from wherever she is: one click, and the filters."""
    page.get_by_role("link", name="Audit log").first.click()
    form = page.get_by_role("search", name="Search the audit log")
    for label, text in filters.items():
        form.get_by_label(label.replace("_", " "), exact=False).first.fill(text)
    form.get_by_label("What").select_option("intent")
    form.get_by_role("button", name="Search").click()
    page.wait_for_url("**/audit/?*type=intent*")


def region(page: "Page", name: str) -> str:
    return page.get_by_role("region", name=name).inner_text()


def records(story: Governed, **filters: str) -> list[dict[str, Any]]:
    return list(story.admin.get("audit/records/", **filters)["results"])


def placed(story: Governed) -> list[dict[str, Any]]:
    """Calls of the tool, once they stand in the log."""
    found = records(story, server=SLUG, type="intent", tool="echo")
    return [record for record in found if record["index"] is not None]


def flipped(file: Path, within: str) -> Path:
    """A copy with one letter of one record written otherwise."""
    lines = file.read_bytes().splitlines(keepends=True)
    changed = [
        line.replace(WHY.encode(), WHY.replace("4711", "4712").encode()) if within.encode() in line else line
        for line in lines
    ]
    assert sum(one != other for one, other in zip(lines, changed, strict=True)) == 1
    path = file.with_name(f"changed-{file.name}")
    path.write_bytes(b"".join(changed))
    return path


def test_a_call_is_found_read_and_proved_without_the_product(
    browser: "Browser", story: Governed, outsider: Outsider
) -> None:
    assert SAID in story.call("echo", why=WHY, text=SAID)
    (intended,) = wait_until("it has its place", lambda: placed(story))
    with story.at_browser(browser, "iris") as page:
        # Who called what, and why?
        ask(page, Agent=story.agent["client_id"], Tool=f"{SLUG}/echo")
        row = page.locator("#records tr[data-row]", has_text=f"{SLUG}/echo")
        row.nth(1).wait_for(state="detached")  # what the search leaves out
        seen(page, "proving-1-search")
        row.get_by_role("link").first.click()
        page.get_by_role("heading", name="call.intended").wait_for()
        said = region(page, "What happened")
        for part in (story.agent["client_id"], "echo", "allow.definition", "role:files-user", WHY):
            assert part in said
        # Is the log what it was?
        page.get_by_role("button", name="Verify now").click()
        page.get_by_text("Asked. The badge says how it went.").wait_for()
        badge = page.locator("[data-verified]").filter(has_not_text="Being verified")
        badge.wait_for(timeout=60_000)  # it follows by itself
        assert "Verified up to record" in badge.inner_text()
        assert "from its beginning" in badge.inner_text()
        seen(page, "proving-2-verified")
        # With which arguments? That she asked is on record.
        kept = page.get_by_role("region", name="Arguments and result")
        say_why(page, kept.locator("summary", has_text="Read"), "A customer complains.")
        page.get_by_role("heading", name="Payload of a call").wait_for()
        assert SAID in region(page, "What was sent to the server")
        seen(page, "proving-3-arguments")
        assert [record["reason"] for record in records(story, event="payload.read")] == ["A customer complains."]
        # Is that so?
        wait_until("it is signed", lambda: covered(story, intended["index"]))
        page.goto(f"/audit/{intended['id']}/")
        proof = outsider.keep(page, page.get_by_role("link", name="Download its proof"))
        page.get_by_role("link", name="Prove it elsewhere").click()
        outsider.keep(page, page.get_by_role("link", name="holdfast-verify.pyz"))
        whole = outsider.keep(page, page.get_by_role("link", name="Download the whole log"))
        assert outsider.vkey in page.get_by_role("main").inner_text(), "the log names the key that was carried"
        seen(page, "proving-4-elsewhere")
    for file in (proof, whole):
        good = outsider.verify(file)
        assert good.returncode == 0, good.stdout + good.stderr
        assert "nothing found" in good.stdout
        bad = outsider.verify(flipped(file, intended["id"]))
        assert bad.returncode == 1, bad.stdout + bad.stderr
        assert f"record {intended['id']}" in bad.stdout
    assert sorted(record["after"]["format"] for record in records(story, event="audit.exported")) == ["jsonl", "proof"]


def covered(story: Governed, index: int) -> bool:
    """Whether a checkpoint is over this place."""
    note = story.admin.get("audit/verification/")["checkpoint"]
    return bool(note) and int(note.splitlines()[1]) > index


def test_a_key_that_did_not_sign_proves_nothing(browser: "Browser", story: Governed, outsider: Outsider) -> None:
    with story.at_browser(browser, "iris") as page:
        page.goto("/audit/proof/")
        outsider.keep(page, page.get_by_role("link", name="holdfast-verify.pyz"))
        whole = outsider.keep(page, page.get_by_role("link", name="Download the whole log"))
    name, number, key = outsider.vkey.split("+", 2)
    other = Outsider(outsider.folder, f"{name}+{number}+{key[:-2]}{'A' if key[-2] != 'A' else 'B'}{key[-1]}")
    refused = other.verify(whole)
    assert refused.returncode == 2
    assert "not verified" in refused.stderr

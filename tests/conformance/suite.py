"""The official MCP conformance suite against a URL, scored by the suite's own frozen lists of requirements.

    python -m tests.conformance.suite URL [--revision REV]... [--token TOKEN | --token-file FILE] [--json]

Prints the score of each revision; exits 1 unless all that is required passed. A token goes through a relay of our own,
because the suite cannot send one.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.conformance import installs
from tests.conformance.relay import relaying

REVISIONS = ("2025-11-25", "2026-07-28")
_SCENARIO_MS = 15_000
_SUITE_SECONDS = 300
_DIRECTORY = re.compile(r"(?:authorization-)?server-(?P<name>.+)-\d{4}-\d\d-\d\dT[\d-]+Z")
# In this order; the second goes on from what the first found.
AUTHORIZATION = ("authorization-server-metadata-endpoint", "authorization-code-grant")
_LINK = re.compile(r"https?://\S+[?&]response_type=code\S*")


@dataclass(frozen=True)
class Suite:
    """The suite as it is installed."""

    node: installs.Node
    modules: Path

    @property
    def directory(self) -> Path:
        """The suite's own package."""
        return self.modules / "@modelcontextprotocol" / "conformance"


@dataclass(frozen=True)
class Scenario:
    """How one scenario went, by the names of its checks; `noted` are those that either of two good answers ends in."""

    name: str
    succeeded: frozenset[str] = frozenset()
    noted: frozenset[str] = frozenset()
    failed: dict[str, str] = field(default_factory=dict)
    warned: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    ran: bool = True

    @property
    def passed(self) -> bool:
        """As the suite itself counts: no check failed. One that never ran has not passed."""
        return self.ran and not self.failed


@dataclass(frozen=True)
class Score:
    """One revision's result."""

    revision: str
    required: tuple[Scenario, ...]
    unscored: tuple[Scenario, ...]

    @property
    def failing(self) -> dict[str, dict[str, str]]:
        """Required scenarios that did not pass: check to message; empty where one did not run."""
        return {each.name: each.failed for each in self.required if not each.passed}

    @property
    def passed(self) -> int:
        """How many of the required scenarios passed."""
        return len(self.required) - len(self.failing)

    def lost(self, other: "Score") -> dict[str, str]:
        """What succeeded here and not in `other` (skipped is not): scenario and check to what `other` says."""
        there = {each.name: each for each in (*other.required, *other.unscored)}
        found: dict[str, str] = {}
        for here in (*self.required, *self.unscored):
            now = there[here.name]
            for check in sorted(here.succeeded - now.succeeded - now.noted):
                found[f"{here.name}: {check}"] = (now.failed | now.warned).get(check, "not observed")
        return found

    def lines(self) -> Iterator[str]:
        """For people."""
        checks = sum(len(each.succeeded) for each in self.required)
        yield f"{self.revision}: required {self.passed}/{len(self.required)} scenarios, {checks} kinds of check succeed"
        for each in self.required:
            if not each.passed:
                yield f"  FAIL {each.name}" + ("" if each.ran else ": did not run")
            yield from (f"       {check}: {said}" for check, said in each.failed.items())
            yield from (f"  warn {each.name}: {check}: {said}" for check, said in each.warned.items())
        fine = [each.name for each in self.unscored if each.passed]
        yield f"  not scored: {len(fine)}/{len(self.unscored)} pass"
        for each in self.unscored:
            if not each.passed:
                yield f"  fail {each.name} (not scored)" + ("" if each.ran else ": did not run")
            yield from (f"       {check}: {said}" for check, said in each.failed.items())


def installed() -> Suite:
    """The suite, installed if need be; raises `installs.Unavailable`."""
    node = installs.node()
    return Suite(node, installs.packages(node))


def run(suite: Suite, url: str, revision: str) -> Score:
    """Run all scenarios of a revision against `url`."""
    required, unscored = _requirements(suite, revision)
    with tempfile.TemporaryDirectory() as results:
        command = [str(suite.node.program), str(suite.directory / "dist" / "index.js"), "server", "--url", url]
        command += ["--requirements", revision, "--timeout", str(_SCENARIO_MS), "--output-dir", results]
        done = subprocess.run(
            command,
            env=suite.node.environment(),
            capture_output=True,
            text=True,
            timeout=_SUITE_SECONDS,
            check=False,
        )
        seen = {each.name: each for each in map(_scenario, Path(results).glob("*/checks.json"))}
    if not seen:
        raise RuntimeError(f"the suite did not run: {(done.stderr or done.stdout)[-2000:]}")
    return Score(
        revision,
        tuple(seen.get(name, Scenario(name, ran=False)) for name in required),
        tuple(seen.get(name, Scenario(name, ran=False)) for name in unscored),
    )


def authorization(
    suite: Suite, issuer: str, browse: Callable[[str], None], *, client_id: str, port: int, resource: str = ""
) -> tuple[Scenario, ...]:
    """Run all scenarios against an authorization server.

    `browse` opens a link as the person would, who ends at 127.0.0.1:`port`, where the suite listens.
    """
    with tempfile.TemporaryDirectory() as results:
        command = [str(suite.node.program), str(suite.directory / "dist" / "index.js"), "authorization"]
        command += ["--url", issuer, "--port", str(port), "--output-dir", results]
        command += ["--client-id", client_id] if client_id else []
        command += ["--resource", resource] if resource else []
        with subprocess.Popen(
            command, env=suite.node.environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            assert process.stdout is not None
            try:
                for line in process.stdout:
                    if _LINK.fullmatch(line.strip()):
                        browse(line.strip())
            finally:
                process.kill()  # where nobody came to the end of the link it would wait for minutes
        seen = {each.name: each for each in map(_scenario, Path(results).glob("*/checks.json"))}
    return tuple(seen.get(name, Scenario(name, ran=False)) for name in dict.fromkeys((*AUTHORIZATION, *seen)))


def _requirements(suite: Suite, revision: str) -> tuple[list[str], list[str]]:
    """The names of the scenarios that count, and of those that are reported only."""
    text = (suite.directory / "requirements" / f"{revision}.yaml").read_text(encoding="utf-8")
    lists: dict[str, Any] = yaml.safe_load(text)
    return lists["server"], [each["scenario"] for each in lists["not_scored"] if each["leg"] == "server"]


def _scenario(path: Path) -> Scenario:
    """One scenario's checks. A check may be made several times; once failed is failed."""
    name = _DIRECTORY.fullmatch(path.parent.name)
    assert name is not None, path
    said: dict[str, dict[str, str]] = {status: {} for status in ("SUCCESS", "FAILURE", "WARNING", "INFO", "SKIPPED")}
    for check in json.loads(path.read_text(encoding="utf-8")):
        said[check["status"]][_check(check)] = str(check.get("errorMessage") or "")
    failed, warned = said["FAILURE"], said["WARNING"]
    succeeded = said["SUCCESS"].keys() - failed.keys() - warned.keys()
    return Scenario(name["name"], frozenset(succeeded), frozenset(said["INFO"]), failed, warned, said["SKIPPED"])


def _check(check: dict[str, Any]) -> str:
    """Several checks share an id; their names part them."""
    return f"{check['id']} ({check['name']})"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description="Score a URL with the official MCP conformance suite.")
    parser.add_argument("url")
    parser.add_argument("--revision", action="append", choices=REVISIONS)
    token = parser.add_mutually_exclusive_group()
    token.add_argument("--token", help="a bearer token, added to every request")
    token.add_argument("--token-file", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    secret = options.token_file.read_text(encoding="utf-8").strip() if options.token_file else options.token
    with ExitStack() as stack:
        url = stack.enter_context(relaying(options.url, secret)) if secret else options.url
        try:
            scores = [run(installed(), url, revision) for revision in options.revision or REVISIONS]
        except installs.Unavailable as error:
            parser.exit(2, f"{error}\n")
    shown = json.dumps([asdict(each) for each in scores], default=sorted) if options.json else None
    sys.stdout.write((shown or "\n".join(line for score in scores for line in score.lines())) + "\n")
    return int(any(score.failing for score in scores))


if __name__ == "__main__":
    sys.exit(main())

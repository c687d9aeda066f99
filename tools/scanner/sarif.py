"""Findings as SARIF 2.1.0, in the form that code scanning services read. Pure module.

A result's place is both logical (server, tool, field) and a line of the file that was scanned, because such services
show files only. Its fingerprint is made of server, tool, rule, field and digest: moving the file changes nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from tools.scanner.findings import Found, Severity
from tools.scanner.outcomes import Outcome
from tools.scanner.rule import Rule
from tools.scanner.rulebook import ALL, BY_ID, INCOMPLETE
from tools.scanner.table import printable

SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
FINGERPRINT: Final = "holdfastFinding/v1"
_INDEX: Final = {rule.id: index for index, rule in enumerate(ALL)}
_LEVELS: Final = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
}
# How GitHub reads the number: from 9.0 critical, from 7.0 high, from 4.0 medium, above 0 low.
_SECURITY: Final = {Severity.CRITICAL: "9.5", Severity.HIGH: "8.0", Severity.MEDIUM: "5.5", Severity.LOW: "2.0"}


def sarif(found: Sequence[Outcome]) -> dict[str, Any]:
    """A log with one run."""
    incomplete = [outcome for outcome in found if not outcome.is_complete]
    run = {
        "tool": {"driver": {"name": "Holdfast", "rules": [_rule(rule) for rule in ALL]}},
        "invocations": [
            {
                "executionSuccessful": not incomplete,
                "toolExecutionNotifications": [_notification(outcome) for outcome in incomplete],
            }
        ],
        "results": [_result(outcome, each) for outcome in found for each in outcome.report.findings],
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(rule: Rule) -> Mapping[str, Any]:
    return {
        "id": rule.id,
        "name": rule.title,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.why},
        "help": {"text": rule.why},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {
            "security-severity": _SECURITY[rule.severity],
            "precision": rule.confidence.value,
            "tags": ["security", "mcp", *rule.maps],
        },
    }


def _result(outcome: Outcome, found: Found) -> Mapping[str, Any]:
    rule = BY_ID[found.rule]
    is_threat = rule is not INCOMPLETE
    return {
        "ruleId": rule.id,
        "ruleIndex": _INDEX[rule.id],
        "kind": "fail" if is_threat else "open",
        "level": _LEVELS[found.severity] if is_threat else "none",
        "message": {"text": _message(rule, found)},
        "locations": [_location(outcome, found)],
        "partialFingerprints": {FINGERPRINT: outcome.fingerprint(found)},
        "properties": {"severity": found.severity.value, "risk": outcome.report.risk, "score": outcome.report.score},
    }


def _message(rule: Rule, found: Found) -> str:
    at = f" at {found.field}" if found.field else ""
    return printable(f"{rule.title}{at}: {found.evidence}")


def _location(outcome: Outcome, found: Found) -> Mapping[str, Any]:
    parts = [part for part in (outcome.target.item.server, outcome.tool) if part] or [outcome.target.name]
    name = (found.field.rsplit("/", 1)[-1] or parts[-1])[:200]
    logical = {"name": name, "fullyQualifiedName": "/".join(parts) + found.field, "kind": "member"}
    return {**_physical(outcome), "logicalLocations": [logical]}


def _physical(outcome: Outcome) -> Mapping[str, Any]:
    path = outcome.target.path.replace("\\", "/").removeprefix("./")
    artifact = {"uri": quote(path, safe="/~!$&'()*+,;=@", errors="surrogatepass")}
    if path.startswith("/"):
        artifact["uri"] = f"file://{artifact['uri']}"
    else:
        artifact["uriBaseId"] = "%SRCROOT%"
    return {"physicalLocation": {"artifactLocation": artifact, "region": {"startLine": outcome.target.line}}}


def _notification(outcome: Outcome) -> Mapping[str, Any]:
    return {
        "level": "error",
        "message": {"text": printable(f"{outcome.target.name[:200]} was not read to the end")},
        "locations": [_physical(outcome)],
    }

"""What a client's configuration of one server gives away: how it is started or reached, with what rights.

Pure module. No finding quotes a value that may be a secret: what is shown of a word is made by `entries.shown`.
Expressions have bounded repetition, so hostile text costs linear time.
"""

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from audit.secret_scan import is_secret_name, without_secrets
from tools.scanner.document import Item
from tools.scanner.engine import CRITICAL_FROM, FOUND_MAX, HIGH_FROM, MEDIUM_FROM, Report, combined, risk_of
from tools.scanner.entries import Entry, Word, host_of, program_name, shown
from tools.scanner.fields import Place, Role
from tools.scanner.findings import Confidence, Found, Severity, as_evidence
from tools.scanner.rule import Hit, Rule
from tools.scanner.servers import (
    ALL_INTERFACES,
    BROAD,
    FETCHED,
    IMAGE,
    NO_AUTHENTICATION,
    PLAIN_HTTP,
    PRIVILEGED,
    PRODUCTION,
    SECRET,
    SHELL,
    UNPINNED,
    WHOLE_DISK,
)
from tools.scanner.toolsets import toolset_hits

Sign = tuple[Word, str, float]  # where, what is shown, weight

_EXACT: Final = re.compile(r".{1,200}(?:@v?|==)\d{1,9}\.\d{1,9}(?:\.\d{1,9})?[\w.+-]{0,60}|.{1,400}@[0-9a-f]{40}")
_EVERYWHERE: Final = re.compile(r"(?:[\w-]{0,40}=)?(?:https?://)?(?:0\.0\.0\.0|\[::\])(?::\d{1,5})?(?:/.{0,200})?|::")
_PIPED: Final = re.compile(
    r"(?:curl|wget|iwr|invoke-webrequest)\b[^|;&\n]{1,400}\|\s{0,9}(?:sudo\s{1,9})?(?:ba|z|da)?sh\b|\biex\b"
    r"|(?:ba|z)?sh\s{1,9}(?:-c\s{1,9})?[\"']?(?:<\(|\$\()\s{0,9}(?:curl|wget)\b|\|\s{0,9}(?:python3?|node|perl)\b"
)
_PLACEHOLDER: Final = re.compile(
    r"(?i)\$\{.*|\$\w+|%\w+%|\{\{.*|<.*>|\[.*\]|.*(?:your|example|changeme|placeholder|replace|insert|dummy|x{4}|\*{3}|\.\.\.).*"
)
_SCOPE: Final = re.compile(
    r"(?i)(?:^|[_-])(?:scopes?|permissions?|privileges?|roles?|allow(?:ed)?(?:[_-]?(?:tools|all|paths))?)$"
)
_ALL: Final = re.compile(
    r"(?i)\*|admin|root|superuser|full[_-]?(?:access|control)|(?:read|write|admin)[:_-](?:all|\*)|all"
)
_ALL_FLAGS: Final = re.compile(r"(?i)--(?:allow-all(?:-\w{1,20})?|full-access|dangerously-[\w-]{1,40}|no-sandbox|yolo)")
_APPROVES: Final = ("autoApprove", "alwaysAllow", "auto_approve", "autoapprove")
_DATABASE: Final = re.compile(
    r"(?i)(?:postgres(?:ql)?|mysql|mariadb|mongodb|mssql|sqlserver|oracle|redis|clickhouse|snowflake)(?:[+]\w{1,20})?://"
)
_DATABASE_NAME: Final = re.compile(r"(?i)(?:PG|MYSQL|DB|DATABASE|MONGO|POSTGRES|SQL|SNOWFLAKE|REDIS)\w{0,40}")
_PROD: Final = re.compile(r"(?i)(?<![a-z])(?:prod|prd|production|live)(?![a-z])")
_READ_ONLY: Final = re.compile(
    r"read[_-]?only(?!\W{0,2}(?:false|0|no))|access-mode[= ]restricted|[_/.-]ro(?=[:@_.-])|reader@|read-?replica"
)
_HOME: Final = re.compile(
    r"(?i)/|~/?|\$\{?(?:HOME|USERPROFILE)\}?/?|[a-z]:[\\/]{0,2}|/(?:home|Users)(?:/[\w.-]{1,40})?/?|/(?:root|etc)/?"
)
_SOCKET: Final = re.compile(r"/(?:docker|podman|containerd|crio)[\w/.-]{0,20}\.sock")


def _unpinned(entry: Entry) -> Iterator[Sign]:
    word = entry.package
    if word and not word.text.startswith((".", "/", "~")) and not _EXACT.fullmatch(word.text):
        yield word, shown(word.text), UNPINNED.weight


def _image(entry: Entry) -> Iterator[Sign]:
    if entry.image and "@sha256:" not in entry.image.text:
        tag = entry.image.text.rsplit("/", 1)[-1].partition(":")[2]
        yield entry.image, shown(entry.image.text), IMAGE.weight if tag in ("", "latest") else 0.3


def _is_near(host: str) -> bool:
    if host in ("localhost", "host.docker.internal", "0.0.0.0", "::") or host.endswith(".localhost"):  # noqa: S104 -- compared, not bound
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _no_authentication(entry: Entry) -> Iterator[Sign]:
    url = entry.url
    if url is None or _is_near(host_of(url.text)) or not url.text.lower().startswith(("http:", "https:")):
        return
    says = entry.variables or any(key in entry.body for key in ("oauth", "auth", "authorization", "authProviderType"))
    if not says and "?" not in url.text:
        yield url, shown(url.text), NO_AUTHENTICATION.weight


def _all_interfaces(entry: Entry) -> Iterator[Sign]:
    for word in entry.values:
        if _EVERYWHERE.fullmatch(word.text):
            yield word, f"{word.name}={word.text}".lstrip("="), ALL_INTERFACES.weight
    for option, word in entry.options:
        if option in ("-p", "--publish"):
            address = word.text.rpartition(":")[0].rpartition(":")[0]
            if ":" in word.text and address in ("", "0.0.0.0", "[::]"):  # noqa: S104 -- compared, not bound
                yield word, f"{option} {shown(word.text)}", ALL_INTERFACES.weight if address else 0.6


def _plain_http(entry: Entry) -> Iterator[Sign]:
    for word in (entry.url, *entry.words):
        if word is None or not word.text.lower().startswith("http://"):
            continue
        host = host_of(word.text)
        if host and not _is_near(host):
            is_named = "." in host and not host.endswith((".local", ".internal", ".svc")) and not host[:1].isdigit()
            yield word, shown(word.text), PLAIN_HTTP.weight if is_named else 0.55


def _shell(entry: Entry) -> Iterator[Sign]:
    at = entry.shell_at
    if at is None or (program_name(entry.words[0].text) == "cmd" and entry.package is not None):
        return
    yield entry.words[0], f"{shown(entry.words[0].text)} {entry.words[at].text}", SHELL.weight


def _fetched(entry: Entry) -> Iterator[Sign]:
    text = " ".join(word.text for word in entry.words)[:100_000].lower()
    if entry.words and (match := _PIPED.search(text)) and ("http" in text or "curl" in text or "wget" in text):
        yield entry.words[0], shown(match[0]), FETCHED.weight


def _secret(entry: Entry) -> Iterator[Sign]:
    for word in entry.variables:
        value = word.text.removeprefix("Bearer ").removeprefix("Basic ").removeprefix("token ").strip()
        if _is_placeholder(value):
            continue
        if (is_secret_name(word.name) and len(value) >= 6) or without_secrets(value) != value:
            yield Word(word.pointer, ""), f"{word.name} holds a value", SECRET.weight
    for word in (*entry.words, *((entry.url,) if entry.url else ())):
        name, _, value = word.text.partition("=")
        if (without_secrets(word.text) != word.text and not _is_placeholder(value)) or _is_told(name, value):
            yield Word(word.pointer, ""), "an argument or address holds one", SECRET.weight
    for before, word in zip(entry.words, entry.words[1:], strict=False):
        if before.text.startswith("--") and "=" not in before.text and _is_told(before.text, word.text):
            yield Word(word.pointer, ""), f"{shown(before.text)} is followed by a value", SECRET.weight


def _is_told(name: str, value: str) -> bool:
    return name.startswith("--") and is_secret_name(name) and len(value) >= 6 and not _is_placeholder(value)


def _is_placeholder(value: str) -> bool:
    return not value or value.startswith("-") or _PLACEHOLDER.fullmatch(value[:300]) is not None


def _broad(entry: Entry) -> Iterator[Sign]:
    named = [(word.name, word) for word in entry.variables]
    named += [(word.text.partition("=")[0], Word(word.pointer, word.text.partition("=")[2])) for word in entry.words]
    named += [(before.text, word) for before, word in zip(entry.words, entry.words[1:], strict=False)]
    for name, word in named:
        if _scope_name(name) and any(_ALL.fullmatch(part) for part in re.split(r"[\s,;]+", word.text[:2000])):
            yield word, f"{shown(name)}: {shown(word.text)}", BROAD.weight
    for word in entry.words:
        if _ALL_FLAGS.fullmatch(word.text.partition("=")[0]):
            yield word, shown(word.text), BROAD.weight
    for key in _APPROVES:
        value = entry.body.get(key)
        if value is True or (isinstance(value, list) and "*" in value):
            yield Word(f"/{key}", ""), f"{key}: all", BROAD.weight
    yield from _asked_for(entry)


def _scope_name(name: str) -> bool:
    return _SCOPE.search(name[:60]) is not None


def _asked_for(entry: Entry) -> Iterator[Sign]:
    """Scopes that the configuration asks an authorization server for."""
    oauth = entry.body.get("oauth")
    for holder, at in ((entry.body, ""), (oauth if isinstance(oauth, Mapping) else {}, "/oauth")):
        for key in ("scopes", "scope"):
            value = holder.get(key)
            scopes = value.split() if isinstance(value, str) else value if isinstance(value, list) else []
            if wide := [each for each in scopes if isinstance(each, str) and _ALL.fullmatch(each)]:
                yield Word(f"{at}/{key}", ""), f"{key}: {', '.join(wide[:5])}", BROAD.weight


def _production(entry: Entry) -> Iterator[Sign]:
    if _READ_ONLY.search(entry.text):
        return
    for word in entry.values:
        is_database = _DATABASE.search(word.text) or (word.name and _DATABASE_NAME.fullmatch(word.name))
        where = word.text.rpartition("@")[2]
        if is_database and _PROD.search(where):
            yield word, f"{word.name} {shown(where)}".strip(), PRODUCTION.weight


def _whole_disk(entry: Entry) -> Iterator[Sign]:
    for word in entry.words[1:]:
        if _HOME.fullmatch(word.text) and not (word.text.startswith("/") and entry.shell_at is not None):
            yield word, shown(word.text), WHOLE_DISK.weight
    for option, word in entry.options:
        if option in ("-v", "--volume") and _HOME.fullmatch(word.text.rsplit(":/", 1)[0]):
            yield word, f"{option} {shown(word.text)}", WHOLE_DISK.weight
        if option == "--mount" and re.search(r"(?:src|source)=(?:/|~|\$HOME)(?:,|$)", word.text):
            yield word, f"{option} {shown(word.text)}", WHOLE_DISK.weight


def _privileged(entry: Entry) -> Iterator[Sign]:
    for option, word in entry.options:
        value = word.text.lower()
        is_host = option in ("--network", "--net") and value == "host"
        if is_host:
            yield word, "the host's network", 0.45
        elif (
            option == "--privileged"
            or (
                option == "--cap-add" and value.removeprefix("cap_") in ("all", "sys_admin", "sys_ptrace", "sys_module")
            )
            or (option in ("--pid", "--ipc", "--uts", "--userns") and value == "host")
            or (option in ("-v", "--volume", "--mount") and _SOCKET.search(value))
        ):
            yield word, f"{option} {shown(word.text)}" if word.text != option else option, PRIVILEGED.weight


CHECKS: Final[tuple[tuple[Rule, Callable[[Entry], Iterator[Sign]]], ...]] = (
    (UNPINNED, _unpinned),
    (IMAGE, _image),
    (NO_AUTHENTICATION, _no_authentication),
    (ALL_INTERFACES, _all_interfaces),
    (PLAIN_HTTP, _plain_http),
    (SHELL, _shell),
    (FETCHED, _fetched),
    (SECRET, _secret),
    (BROAD, _broad),
    (PRODUCTION, _production),
    (WHOLE_DISK, _whole_disk),
    (PRIVILEGED, _privileged),
)
_SEVERITIES: Final = (
    (CRITICAL_FROM, Severity.CRITICAL),
    (HIGH_FROM, Severity.HIGH),
    (MEDIUM_FROM, Severity.MEDIUM),
)


def scan_server(item: Item) -> Report:
    """Everything that the rules find in the configuration of a server, and in its `tools` taken together."""
    best: dict[tuple[str, str], Hit] = {}
    entry = Entry(item.body)
    for hit in (*_hits(entry), *_toolset(item.body)):
        key = (hit.rule, hit.place.pointer)
        if key not in best or hit.weight > best[key].weight:
            best[key] = hit
    hits = sorted(best.values(), key=lambda hit: -hit.weight)[:FOUND_MAX]
    score = round(combined(hits), 4)
    return Report(score, risk_of(score), tuple(map(_found, hits)), entry.unread)


def _toolset(body: Mapping[str, Any]) -> Iterator[Hit]:
    return toolset_hits(body.get("tools"), production=body.get("environment") == "production")


def _hits(entry: Entry) -> Iterable[Hit]:
    for rule, check in CHECKS:
        for word, evidence, weight in check(entry):
            yield Hit(rule.id, weight, Place(word.pointer, Role.KEYWORD, ""), evidence=evidence)


def _found(hit: Hit) -> Found:
    severity = next((each for least, each in _SEVERITIES if hit.weight >= least), Severity.LOW)
    confidence = Confidence.HIGH if hit.weight >= 0.55 else Confidence.MEDIUM
    return Found(hit.rule, severity, confidence, hit.place.pointer, as_evidence(hit.evidence))

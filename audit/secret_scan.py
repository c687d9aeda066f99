"""Secrets in what calls carry: found, and replaced by a mark before anything is stored. Pure module.

By three signs: how a secret looks (`ghp_...`, a private key, a JWT), the name of the member that holds it
(`password`), and such a name beside a value within a text. It looks at text as bytes, in time that grows with its
length and no faster: every pattern begins with fixed bytes, only where a word begins, and never goes back.
What is found is a mark in what is stored and nothing else; what travels is not touched. It is a net, not a proof:
a secret that looks like a word and has an innocent name passes (docs/audit-payloads.md).
"""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from msgspec import Struct

Span = tuple[int, int]
_WORD: Final = rb"[\w-]"
_BEGIN, _END = b"-----BEGIN ", b"-----END "


def mark(kind: str) -> str:
    """What stands where a secret stood."""
    return f"[left out: {kind}]"


class Rule(Struct, frozen=True):
    """A kind of secret that is known by its look. `literal` is in every text that holds one."""

    kind: str
    literal: bytes
    pattern: "re.Pattern[bytes]"


def _rule(kind: str, literal: str, rest: str) -> Rule:
    """`literal` where a word begins, then `rest`. The fixed bytes come first: then the search for them is the C one."""
    start = re.escape(literal.encode())
    return Rule(kind, literal.encode(), re.compile(start + rb"(?<!" + _WORD + start + rb")" + rest.encode()))


_RULES: Final = (
    *(_rule("AWS access key", each, r"[A-Z0-9]{16}(?![A-Z0-9])") for each in ("AKIA", "ASIA", "ABIA", "ACCA")),
    _rule("Google API key", "AIza", r"[\w-]{35}"),
    _rule("Google access token", "ya29.", r"[\w-]{20,}+"),
    _rule("Google client secret", "GOCSPX-", r"[\w-]{20,}+"),
    *(_rule("GitHub token", f"gh{each}_", r"[A-Za-z0-9]{36,}+") for each in "pousr"),
    _rule("GitHub token", "github_pat_", r"\w{22,}+"),
    *(_rule("GitLab token", f"gl{each}-", r"[\w.-]{20,}+") for each in ("pat", "dt", "rt", "cbt", "ptt", "ft", "soat")),
    *(_rule("Slack token", f"xox{each}-", r"[\w-]{10,}+") for each in "abeprs"),
    _rule("Slack token", "xapp-", r"[\w-]{10,}+"),
    Rule("Slack webhook", b"hooks.slack.com/", re.compile(rb"hooks\.slack\.com/(?:services|workflows)/[\w/-]{20,}+")),
    *(
        _rule("Stripe key", f"{each}_{mode}_", r"[A-Za-z0-9]{16,}+")
        for each in ("sk", "rk")
        for mode in ("live", "test")
    ),
    _rule("Stripe webhook secret", "whsec_", r"[A-Za-z0-9+/=]{16,}+"),
    _rule("API key", "sk-", r"[\w-]{20,}+"),
    _rule("npm token", "npm_", r"[A-Za-z0-9]{36}"),
    _rule("PyPI token", "pypi-", r"[\w-]{50,}+"),
    _rule("Hugging Face token", "hf_", r"[A-Za-z0-9]{30,}+"),
    _rule("SendGrid key", "SG.", r"[\w-]{16,}+\.[\w-]{16,}+"),
    *(_rule("Holdfast token", f"hf{each}.", r"[0-9a-f]{8}\.[0-9a-f]{64}[.0-9a-f]*+") for each in ("", "c", "r")),
    _rule("Holdfast token", "hfp_", r"[0-9a-f]{8}_[0-9a-f]{64}[_0-9a-f]*+"),
    Rule("Azure client secret", b"8Q~", re.compile(rb"8Q~(?<=[\w.~-]{3}8Q~)[\w.~-]{31,}+")),
    Rule("JWT", b"eyJ", re.compile(rb"eyJ(?<![\w.-]eyJ)[\w-]{8,}+\.[\w-]{4,}+\.[\w-]*+")),
    # The user's name stays, the password goes. Neither part holds what ends the other, so no start reads another's.
    Rule("password in a URL", b"://", re.compile(rb"://(?P<keep>[^\s/:@\"']*+):[^\s/@\"']++(?=@)")),
)
_BEFORE: Final = {"Azure client secret": 3}  # bytes of the secret that stand before its literal

# Names of members whose values are secrets, without case, underscores and the like; and what such names end in.
_NAMES: Final = frozenset(
    {
        "accountkey", "auth", "authorization", "connectionstring", "cookie", "credential", "credentials", "dsn",
        "encryptionkey", "pass", "pin", "privatekeyid", "proxyauthorization", "pwd", "secretaccesskey", "setcookie",
        "sharedaccesskey", "signingkey", "xapikey",
    }
)  # fmt: skip
_ENDS: Final = (
    "accesskey", "apikey", "apisecret", "clientsecret", "masterkey", "otp", "passcode", "passphrase", "passwd",
    "password", "privatekey", "secret", "secretkey", "sessionkey", "token",
)  # fmt: skip
# They end alike and are no secrets: places in a list, marks of a protocol.
_INNOCENT: Final = ("continuationtoken", "nexttoken", "pagetoken", "progresstoken", "synctoken", "canceltoken")
_LABELS: Final = ("name", "key", "header", "field", "variable")
_SHORTEST: Final = 8  # bytes of a text that can hold a secret
_LONG_NAME: Final = 16  # characters of a member's name that can be one
_DIGITS: Final = b"0123456789"
# The same within a text, in small letters: a name, what may stand between, the value.
_BETWEEN: Final = rb"(?:\\?[\"'])?\s{0,3}[:=]\s{0,3}(?:\\?[\"'])?(?P<value>[^\s\"',;&<>\\]++)"
_HINTS: Final = tuple(
    (literal, re.compile(literal + rest + _BETWEEN), said)
    for literal, rest, said in (
        (b"passw", rb"(?:or)?d", True),
        (b"passphrase", rb"", True),
        (b"pwd", rb"", True),
        (b"secret", rb"", False),
        (b"token", rb"", False),
        (b"key", rb"(?<=[\w-]key)", False),
        (b"credential", rb"s?", False),
    )
)
_SCHEMES: Final = (b"bearer", b"basic")
_SCHEME: Final = {each: re.compile(each + rb"\s{1,3}(?P<value>[A-Za-z0-9+/=._~-]{8,}+)") for each in _SCHEMES}


def scan(value: Any, written: bytes) -> tuple[Any, int]:
    """`value` with marks for the secrets in it, and how many there were. `written`: the value as JSON, unescaped.

    The value is not changed; without secrets it comes back as it is.
    """
    looks = _Looks(written)
    return looks.cleaned(value), looks.count


def without_secrets(text: str) -> str:
    """A text with marks for the secrets in it."""
    return str(scan(text, text.encode("utf-8", "surrogatepass"))[0])


@lru_cache(maxsize=1024)
def is_secret_name(name: str) -> bool:
    """Whether a member of this name holds a secret."""
    plain = "".join(filter(str.isalnum, name)).lower() if len(name) <= 128 else ""
    return plain in _NAMES or (plain.endswith(_ENDS) and not plain.endswith(_INNOCENT))


class _Looks:
    """One look through a value. What its JSON form does not hold at all is not looked for in each of its texts."""

    def __init__(self, written: bytes) -> None:
        lower = written.lower()
        self.count = 0
        self._rules = [rule for rule in _RULES if rule.literal in written]
        self._hints = [hint for hint in _HINTS if hint[0] in lower]
        self._schemes = [scheme for scheme in _SCHEMES if scheme in lower]
        self._keys = _BEGIN in written

    def cleaned(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, Mapping):
            return self._members(value)
        if isinstance(value, list):
            items = [self.cleaned(each) for each in value]
            return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
        return value

    def _members(self, value: Mapping[str, Any]) -> Mapping[str, Any]:
        labelled = "value" in value and any(_names_a_secret(value.get(name)) for name in _LABELS)
        found: dict[str, Any] = {}
        same = True
        for name, old in value.items():
            secret = is_secret_name(name) or (labelled and name == "value")
            new = self._hidden(old) if secret else self.cleaned(old)
            shown = self._text(name) if len(name) >= _LONG_NAME else name
            same = same and new is old and shown is name
            found[shown] = new
        return value if same else found

    def _hidden(self, value: Any) -> Any:
        """What a member with a telling name holds, without anything that it says."""
        if isinstance(value, Mapping):
            return {name: self._hidden(each) for name, each in value.items()}
        if isinstance(value, list):
            return [self._hidden(each) for each in value]
        if value is None or isinstance(value, bool) or value == "":
            return value
        self.count += 1
        return mark("secret by its name")

    def _text(self, text: str) -> str:
        if len(text) < _SHORTEST:
            return text
        data = text.encode("utf-8", "surrogatepass")
        found = _private_keys(data) if self._keys else []
        for rule in self._rules:
            if rule.literal in data:
                found += _looking_so(rule, data)
        if self._hints or self._schemes:
            found += self._said(data, data.lower())
        return self._marked(data, found) if found else text

    def _said(self, data: bytes, lower: bytes) -> Iterator[tuple[Span, str]]:
        """What a name or a scheme of authorization stands before."""
        for literal, pattern, said in self._hints:
            if literal in lower:
                for match in pattern.finditer(lower):
                    value = match["value"]
                    if (said and len(value) >= 4) or _is_random(value):
                        yield match.span("value"), "secret by its name"
        for scheme in self._schemes:
            if scheme in lower:
                fits = _is_basic if scheme == b"basic" else _is_random
                for match in _SCHEME[scheme].finditer(lower):
                    if fits(data[slice(*match.span("value"))]):
                        yield match.span("value"), "authorization"

    def _marked(self, data: bytes, found: list[tuple[Span, str]]) -> str:
        parts, done = [], 0
        for (start, end), kind in sorted(found):
            if end <= done:
                continue
            if start >= done:
                parts += [data[done:start], mark(kind).encode()]
                self.count += 1
            done = end
        return b"".join([*parts, data[done:]]).decode("utf-8", "replace")


def _names_a_secret(value: Any) -> bool:
    return isinstance(value, str) and is_secret_name(value)


def _looking_so(rule: Rule, data: bytes) -> list[tuple[Span, str]]:
    before = _BEFORE.get(rule.kind, 0)
    ends = "keep" in rule.pattern.groupindex
    return [
        ((match.end("keep") + 1 if ends else match.start() - before, match.end()), rule.kind)
        for match in rule.pattern.finditer(data)
    ]


def _private_keys(data: bytes) -> list[tuple[Span, str]]:
    """From the first line to the last; to the end of the text where the last one is missing."""
    found: list[tuple[Span, str]] = []
    start = data.find(_BEGIN)
    while start >= 0:
        line = data[start : start + 80]
        if b"PRIVATE KEY" not in line:
            start = data.find(_BEGIN, start + 1)
            continue
        last = data.find(_END, start)
        closed = data.find(b"-----", last + len(_END)) if last >= 0 else -1
        end = closed + 5 if closed >= 0 else len(data)
        found.append(((start, end), "private key"))
        start = data.find(_BEGIN, end)
    return found


def _is_basic(data: bytes) -> bool:
    try:
        return b":" in base64.b64decode(data, validate=True)
    except binascii.Error:
        return False


def _is_random(data: bytes) -> bool:
    """Whether it looks drawn and not written: long enough, with digits and others, hardly two alike."""
    if len(data) < 12:
        return False
    others = data[:256].translate(None, _DIGITS)
    return 0 < len(others) < len(data[:256]) and len(set(data[:256])) >= 8

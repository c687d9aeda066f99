"""URIs of resources, and the URI templates (RFC 6570) that approve many of them at once. Pure module.

A request that names a URI is judged by the text alone, before any server reads it in its own way. So whatever two
readers could take for different places is no URI here: dot segments in any spelling, control characters, backslashes,
an encoded letter, user information.
"""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

import jsonschema_rs

URI_MAX: Final = 8192  # characters, of templates too
VARIABLES_MAX: Final = 32
_PROGRAM_BYTES: Final = 5_000_000  # of a compiled template
# Not for anything that names data on a server: clients may run them, or render what stands in them.
FORBIDDEN_SCHEMES: Final = frozenset({"about", "blob", "data", "javascript", "vbscript"})

# RFC 3986, appendix A; a raw space, quote, backslash or letter beyond ASCII is none of a URI's characters.
_URI: Final = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{0,63}):"
    r"(?P<rest>(?:[A-Za-z0-9._~:/?\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+)"
    r"(?:#(?:[A-Za-z0-9._~:/?@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)?"
)
_ESCAPE: Final = re.compile("%[0-9A-Fa-f]{2}")
_UNRESERVED: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_ENDS_SEGMENT: Final = re.compile(r"[/\\?#&=;,:]")
_ENDS_STEP: Final = re.compile(r"[/\\]")
_QUERY: Final = re.compile("[?#]")
_ROUNDS: Final = 4  # of decoding; whoever encodes more often has no honest reason

_EXPRESSION: Final = re.compile(r"\{([^{}]*)\}")
_LITERAL: Final = re.compile(r"(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*")
_VARIABLE: Final = re.compile(r"(?P<name>[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*)(?P<explode>\*|:[1-9][0-9]{0,3})?")
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,63}):")
_BYTE: Final = "%[0-9A-Fa-f]{2}"
_PLAIN: Final = f"(?:[A-Za-z0-9._~-]|{_BYTE})"
_RESERVED_TOO: Final = rf"(?:[A-Za-z0-9._~:/?#@!$&'()*+,;=\[\]-]|{_BYTE})"
_CLASSES: Final = {char: f"[{char}]" for char in ".?*+()$"} | {"[": r"\[", "]": r"\]"}
# By operator: what the expansion begins with, and what stands between its parts (RFC 6570, appendix A).
_OPERATORS: Final = {
    "": ("", ","), "+": ("", ","), "#": ("#", ","), ".": (".", "."), "/": ("/", "/"), ";": (";", ";"),
    "?": ("?", "&"), "&": ("&", "&"),
}  # fmt: skip


def scheme_of(uri: str) -> str | None:
    """The scheme of a URI in lower case; None for what is no URI, or one that two readers could read differently."""
    found = _URI.fullmatch(uri) if len(uri) <= URI_MAX else None
    if found is None or _is_ambiguous(uri, found["rest"]):
        return None
    scheme = found["scheme"].lower()
    return None if scheme in FORBIDDEN_SCHEMES else scheme


def normal_form(uri: str) -> str:
    """The spelling by which two URIs are one: scheme and host in lower case, as little encoded as may be.

    RFC 3986, 6.2.2. Only to be compared with another normal form.
    """
    plain = _ESCAPE.sub(_decoded_if_unreserved, uri)
    scheme, colon, rest = plain.partition(":")
    if rest.startswith("//"):
        end = re.search("[/?#]", rest[2:])
        host = rest if end is None else rest[: 2 + end.start()]
        rest = host.lower() + rest[len(host) :]
    return scheme.lower() + colon + rest


def _decoded_if_unreserved(found: re.Match[str]) -> str:
    character = chr(int(found[0][1:], 16))
    return character if character in _UNRESERVED else found[0].upper()


def _is_ambiguous(uri: str, rest: str) -> bool:
    escapes = {chr(int(escape[1:], 16)) for escape in _ESCAPE.findall(uri)}
    if escapes & _UNRESERVED or any(character < " " or character in "\x7f\\" for character in escapes):
        return True
    if rest.startswith("//") and "@" in unquote(re.split("[/?]", rest[2:], maxsplit=1)[0]):
        return True
    return _has_dot_segment(uri)


def _has_dot_segment(uri: str) -> bool:
    """Whether a step of the path is `.`, or a part of anything is `..`, however often it is encoded."""
    for _ in range(_ROUNDS):
        if ".." in uri and ".." in _ENDS_SEGMENT.split(uri):
            return True
        if "." in _ENDS_STEP.split(_QUERY.split(uri, maxsplit=1)[0]):
            return True
        decoded = unquote(uri)
        if decoded == uri:
            return False
        uri = decoded
    return True


@dataclass(frozen=True, slots=True)
class UriTemplate:
    """A compiled template. `scheme` is None where a variable stands in it."""

    text: str
    scheme: str | None
    _prefix: str
    _matcher: jsonschema_rs.Validator

    @classmethod
    def compile(cls, text: str) -> "UriTemplate | None":
        """The template, or None where `text` is none that is taken."""
        if len(text) > URI_MAX:
            return None
        pattern = _pattern(text)
        matcher = _matcher(pattern) if pattern is not None else None
        if matcher is None:
            return None
        scheme = _SCHEME.match(text)
        return cls(text, scheme[1].lower() if scheme else None, text.partition("{")[0], matcher)

    def matches(self, uri: str) -> bool:
        """Whether `scheme_of` takes `uri`, and values of the variables give it."""
        return scheme_of(uri) is not None and self.gives(uri)

    def gives(self, uri: str) -> bool:
        """Whether values of the variables give `uri`, which `scheme_of` took already. In linear time."""
        return uri.startswith(self._prefix) and self._matcher.is_valid(uri)


def _matcher(pattern: str) -> jsonschema_rs.Validator | None:
    """Python's own engine tries every way of cutting a text in two; this one reads it once. None: too large for it."""
    engine = jsonschema_rs.RegexOptions(size_limit=_PROGRAM_BYTES)
    try:
        return jsonschema_rs.Draft202012Validator({"pattern": pattern}, pattern_options=engine, offline=True)
    except jsonschema_rs.ValidationError:
        return None


def _pattern(text: str) -> str | None:
    """A regular expression for all expansions of a template."""
    pieces = _EXPRESSION.split(text)
    literals, expressions = pieces[::2], pieces[1::2]
    if not all(map(_LITERAL.fullmatch, literals)):
        return None
    made = [_expression(expression) for expression in expressions]
    if None in made or sum(expression.count(",") + 1 for expression in expressions) > VARIABLES_MAX:
        return None
    parts = [_quoted(literals[0])]
    for one, literal in zip(made, literals[1:], strict=True):
        parts += [one or "", _quoted(literal)]
    return f"^{''.join(parts)}$"


def _expression(text: str) -> str | None:
    operator = text[:1] if text[:1] in _OPERATORS else ""
    variables = [_VARIABLE.fullmatch(part) for part in text.removeprefix(operator).split(",")]
    if not all(variables):
        return None
    first, between = _OPERATORS[operator]
    values = [_value(operator, variable) for variable in variables if variable]
    return _listed(values, _quoted(first), _quoted(between))


def _listed(values: list[str], first: str, between: str) -> str:
    """Any of `values` in their order, with `between` between those that are there: undefined ones are left out."""
    starts = (
        f"{first}{value}" + "".join(f"(?:{between}{later})?" for later in values[index + 1 :])
        for index, value in enumerate(values)
    )
    return f"(?:{'|'.join(starts)})?"


def _value(operator: str, variable: re.Match[str]) -> str:
    """The expansion of one variable, without what stands before it."""
    character = _RESERVED_TOO if operator in ("+", "#") else _PLAIN
    modifier = variable["explode"] or ""
    # A prefix counts characters before they are encoded, in up to four bytes each (UTF-8).
    several = f"(?:{character}|(?:{_BYTE}){{1,4}}){{0,{modifier[1:]}}}" if modifier[:1] == ":" else f"{character}*"
    name, between = _quoted(variable["name"]), _quoted(_OPERATORS[operator][1])
    if operator == ";":
        several = f"(?:={several})?"  # some write the sign before nothing too
    elif operator in ("?", "&"):
        several = f"={several}"
    else:
        name = ""
    item = f"{name}{several}"
    return f"{item}(?:{between}{item})*" if modifier == "*" else item


def _quoted(literal: str) -> str:
    return "".join(char if char.isalnum() or char in "%_~:/@!&',;=#-" else _CLASSES.get(char, char) for char in literal)

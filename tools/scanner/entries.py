"""One server as a client's configuration (`mcp.json`) has it: the words it is started with, its variables, its address.

Pure module. Nothing here shows a value: `shown` is what may be printed of one.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final
from urllib.parse import urlsplit

from audit.secret_scan import without_secrets
from tools.scanner.fields import below

SHOWN_MAX: Final = 120
_WORDS_MAX: Final = 1000
_VALUE_MAX: Final = 4096
_CONTAINERS: Final = frozenset({"docker", "podman", "nerdctl"})
_SHELLS: Final = frozenset({"bash", "sh", "zsh", "dash", "fish", "ksh", "powershell", "pwsh", "cmd"})
_RUNS: Final = frozenset({"-c", "-lc", "-ic", "-ec", "-command", "/c", "/k", "-encodedcommand", "-e", "-enc"})
# What `docker run` takes without a value; every other option takes the word after it.
_BARE: Final = re.compile(
    r"-[itdPq]{1,4}|--(?:rm|init|interactive|tty|detach|privileged|read-only|publish-all|quiet|no-healthcheck)"
)

_RUNNERS: Final = frozenset({"npx", "bunx", "uvx", "pnpx"})
_RUNNERS_OF_TWO: Final = {
    ("pnpm", "dlx"),
    ("yarn", "dlx"),
    ("npm", "exec"),
    ("pipx", "run"),
    ("bun", "x"),
    ("go", "run"),
}
_NAMES_PACKAGE: Final = frozenset({"-p", "--package", "--from", "--spec"})
_TAKES_VALUE: Final = frozenset(
    {"--python", "--with", "--index-url", "--index", "--registry", "--cache", "--directory"}
)


@dataclass(frozen=True, slots=True)
class Word:
    """A value and where it is; `name`: of the variable, header or member that holds it."""

    pointer: str
    text: str
    name: str = ""


@dataclass(frozen=True)
class Entry:
    """A server's configuration."""

    body: Mapping[str, Any]

    @cached_property
    def words(self) -> tuple[Word, ...]:
        """The command line, word by word."""
        command, found = self.body.get("command"), []
        if isinstance(command, Mapping):  # Zed's form: {"path", "args", "env"}
            return Entry({**command, "command": command.get("path")}).words
        if isinstance(command, list):
            found += _words(command, "/command")
        elif isinstance(command, str):
            parts = command.split() if not self.body.get("args") and " -" in command else [command]
            found += [Word("/command", part[:_VALUE_MAX]) for part in parts]
        args = self.body.get("args")
        return tuple((found + _words(args if isinstance(args, list) else [], "/args"))[:_WORDS_MAX])

    @cached_property
    def program(self) -> tuple[Word, ...]:
        """The command line without a shell around it."""
        words = self.words
        if self.shell_at is None:
            return words
        inner = words[self.shell_at + 1 :]
        return tuple(Word(word.pointer, part) for word in inner[:20] for part in word.text.split()[:_WORDS_MAX])

    @cached_property
    def shell_at(self) -> int | None:
        """The index of the option that hands a shell its program, if a shell is what is started."""
        if not self.words or program_name(self.words[0].text) not in _SHELLS:
            return None
        return next((at for at, word in enumerate(self.words[1:5], 1) if word.text.lower() in _RUNS), None)

    @cached_property
    def package(self) -> Word | None:
        """The package that a runner such as `npx` is to fetch."""
        words = [word for word in self.program if word.text]
        texts = [word.text for word in words[:3]]
        if texts and program_name(texts[0]) in _RUNNERS:
            return _first_package(words[1:])
        if texts and (program_name(texts[0]), *texts[1:2]) in _RUNNERS_OF_TWO:
            return _first_package(words[2:])
        return _first_package(words[3:]) if texts == ["uv", "tool", "run"] else None

    @cached_property
    def variables(self) -> tuple[Word, ...]:
        """Variables and headers with their values."""
        command = self.body.get("command")
        env = command.get("env") if isinstance(command, Mapping) else self.body.get("env")
        return (*_members(env, "/env"), *_members(self.body.get("headers"), "/headers"), *self._container_variables())

    def _container_variables(self) -> Iterator[Word]:
        for option, word in self.options:
            name, equals, value = word.text.partition("=")
            if option in ("-e", "--env") and equals:
                yield Word(word.pointer, value, name)

    @cached_property
    def url(self) -> Word | None:
        """The address of a server that is reached over HTTP."""
        for key in ("url", "serverUrl", "httpUrl", "endpoint", "uri"):
            value = self.body.get(key)
            if isinstance(value, str) and value:
                return Word(f"/{key}", value[:_VALUE_MAX])
        return None

    @cached_property
    def options(self) -> tuple[tuple[str, Word], ...]:
        """The options of `docker run` with their values (themselves where they have none)."""
        return tuple(self._container[0])

    @cached_property
    def image(self) -> Word | None:
        """The image that `docker run` starts."""
        return self._container[1]

    @cached_property
    def _container(self) -> tuple[list[tuple[str, Word]], Word | None]:
        words, found = self.program, list[tuple[str, Word]]()
        start = next((at for at, word in enumerate(words[1:6], 2) if word.text == "run"), None)
        if not words or start is None or program_name(words[0].text) not in _CONTAINERS:
            return found, None
        at = start
        while at < len(words) and words[at].text.startswith("-"):
            option, equals, value = words[at].text.partition("=")
            if equals or _BARE.fullmatch(option) or at + 1 == len(words):
                found.append((option, Word(words[at].pointer, value if equals else option)))
            else:
                at += 1
                found.append((option, words[at]))
            at += 1
        return found, words[at] if at < len(words) else None

    @cached_property
    def unread(self) -> int:
        """How many words and variables are too many or too long to be read."""
        held = (self.body.get(key) for key in ("command", "args", "env", "headers"))
        groups = [list(each.values()) if isinstance(each, Mapping) else each for each in held]
        lists = [[each] if isinstance(each, str) else each for each in groups if isinstance(each, str | list)]
        long = sum(isinstance(value, str) and len(value) > _VALUE_MAX for values in lists for value in values)
        return long + sum(max(0, len(values) - _WORDS_MAX) for values in lists)

    @cached_property
    def values(self) -> tuple[Word, ...]:
        """Everything that is handed to the server: words, variables, headers, address."""
        return (*self.words, *self.variables, *((self.url,) if self.url else ()))

    @cached_property
    def text(self) -> str:
        """Words and variables in small letters, to look for one."""
        pairs = [f"{word.name}={word.text}" if word.name else word.text for word in self.values]
        return " ".join(pairs)[:100_000].lower()


def _first_package(words: Sequence[Word]) -> Word | None:
    skip = False
    for at, word in enumerate(words):
        option, equals, value = word.text.partition("=")
        if option in _NAMES_PACKAGE:
            return Word(word.pointer, value) if equals else (words[at + 1] if at + 1 < len(words) else None)
        if skip or word.text.startswith("-"):
            skip = not skip and word.text in _TAKES_VALUE
            continue
        return word
    return None


def _words(values: Sequence[Any], pointer: str) -> list[Word]:
    return [
        Word(below(pointer, str(at)), value[:_VALUE_MAX])
        for at, value in enumerate(values[:_WORDS_MAX])
        if isinstance(value, str)
    ]


def _members(values: Any, pointer: str) -> Iterator[Word]:
    if isinstance(values, Mapping):
        for name, value in list(values.items())[:_WORDS_MAX]:
            if isinstance(value, str):
                yield Word(below(pointer, name), value[:_VALUE_MAX], name)


def program_name(text: str) -> str:
    """The program's name without its folder and ending."""
    return re.split(r"[/\\]", text)[-1].lower().removesuffix(".exe").removesuffix(".cmd")


def host_of(url: str) -> str:
    """The host of an address, or nothing."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def shown(text: str) -> str:
    """What may be printed of a word: no secret, no name and password before an address, not all of it."""
    plain = re.sub(r"://[^\s/@]{1,500}@", "://***@", text[: SHOWN_MAX * 4])
    plain = re.sub(r"\?[^\s]{1,500}", "?***", plain)
    return without_secrets(plain)[:SHOWN_MAX]

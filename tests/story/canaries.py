"""What is looked for where nothing of it may be, and the places where it is looked for."""

import base64
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, urljoin, urlsplit

import httpx2
import psycopg
import yaml
from psycopg.sql import SQL, Identifier
from redis import Redis

ROOT = Path(__file__).resolve().parents[2]
SET_COOKIE = "Set-Cookie"
_OVER = "the canaries are over"
_ID = re.compile(r"[0-9a-f]{8}[0-9a-f-]+|[0-9]+")
_LINK = re.compile(r'href="([^"#]+)')


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret and the one answer that shows it, as `POST /path/` or by its header; empty where none does."""

    name: str
    value: str
    shown_by: str = ""

    def stands_in(self, text: str) -> bool:
        """In any of the forms in which it would be as good as itself."""
        raw = self.value.encode()
        forms = (self.value, quote(self.value, safe=""), raw.hex(), base64.b64encode(raw).decode().rstrip("="))
        return any(form in text for form in forms)


@dataclass
class Answers:
    """Every answer that anybody got, by what was asked."""

    seen: list[tuple[str, str]] = field(default_factory=list)

    def client(self) -> httpx2.Client:
        """A client whose answers are kept here."""
        return httpx2.Client(timeout=60, event_hooks={"response": [self._keep]})

    def _keep(self, answer: httpx2.Response) -> None:
        answer.read()
        asked = f"{answer.request.method} {answer.request.url.path}"
        for name, value in answer.headers.multi_items():
            # Cookies go to whoever has them anyway, and come again with pages.
            self.seen.append((SET_COOKIE if name.lower() == "set-cookie" else asked, value))
        self.seen.append((asked, answer.text))

    def that_show(self, secret: Secret) -> set[str]:
        """What was asked where the answer holds a secret."""
        return {asked for asked, said in self.seen if secret.stands_in(said)}


def environment_of(pid: int) -> Mapping[str, str]:
    """The variables that a process was started with."""
    lines = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    return dict(line.split("=", 1) for line in lines if "=" in line)


def tables(url: str) -> Iterator[tuple[str, str]]:
    """Every table with all that it holds, as text."""
    with psycopg.connect(url) as connection:
        names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (name,) in names:
            rows = connection.execute(SQL("SELECT {0}::text FROM {0}").format(Identifier(name))).fetchall()
            yield f"table {name}", "\n".join(row for (row,) in rows)


class Overheard:
    """All that goes through Valkey while the block lasts, and what is kept there at its end."""

    def __init__(self, url: str) -> None:
        self._redis: Redis = Redis.from_url(url, decode_responses=True)
        self._monitor = self._redis.monitor()
        self.said = ""

    def __enter__(self) -> Self:
        self._monitor.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._redis.publish("the test", _OVER)
        commands = iter(lambda: str(self._monitor.next_command()["command"]), f"PUBLISH the test {_OVER}")
        self.said = "\n".join((*commands, *self._kept()))
        self._monitor.__exit__()
        self._redis.close()

    def _kept(self) -> Iterator[str]:
        readers: dict[str, Any] = {
            "string": self._redis.get,
            "list": lambda key: self._redis.lrange(key, 0, -1),
            "hash": self._redis.hgetall,
            "set": self._redis.smembers,
            "zset": lambda key: self._redis.zrange(key, 0, -1, withscores=True),
        }
        for key in self._redis.scan_iter():
            yield f"{key} {readers[str(self._redis.type(key))](key)}"


def read_every_page(site: str, client: httpx2.Client, *, of_a_kind: int = 3) -> set[str]:
    """Follow links from the first page, to so many pages that differ by an id alone; the paths that were answered."""
    waiting, read = ["/"], set[str]()
    kinds: Counter[str] = Counter()
    while waiting:
        path = waiting.pop(0)
        kind = _ID.sub("*", path)
        kinds[kind] += 1
        if kinds[kind] > of_a_kind:
            continue
        answer = client.get(f"{site}{path}", follow_redirects=True)
        read.add(path)
        if "text/html" not in answer.headers.get("content-type", ""):
            continue
        for link in _LINK.findall(answer.text):
            target = urlsplit(urljoin(str(answer.url), link.replace("&amp;", "&")))
            following = target.path + (f"?{target.query}" if target.query else "")
            ours = target.netloc == urlsplit(site).netloc and not target.path.startswith("/static/")
            if ours and following not in read and following not in waiting and target.query.count("=") < 2:
                waiting.append(following)
    return read


def api_lists() -> list[str]:
    """Every operation of the API that is read and needs no name."""
    paths = yaml.safe_load((ROOT / "docs" / "openapi.yaml").read_text(encoding="utf-8"))["paths"]
    return [path for path, operations in paths.items() if "get" in operations and "{" not in path]

"""Gives every server that is registered already its endpoint key, by the rules of the day."""

import re
from typing import Any
from urllib.parse import urlsplit

from django.db import migrations

_DEFAULT_PORTS = {"http": 80, "https": 443}
_ESCAPED = re.compile(r"%([0-9a-fA-F]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


def endpoint_key(url: str) -> str:
    """`url` in a form that spelling does not change (RFC 3986, 6.2.2 and 6.2.3); empty if it is no URL.

    A copy: a migration imports nothing of the product, whose rules may change.
    """
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        return ""
    scheme, host = parts.scheme.lower(), (parts.hostname or "").rstrip(".")
    if not scheme or not host:
        return ""
    host = f"[{host}]" if ":" in host else host
    port_part = "" if port in (None, _DEFAULT_PORTS.get(scheme)) else f":{port}"
    query = f"?{_plainly_escaped(parts.query)}" if parts.query else ""
    return f"{scheme}://{host}{port_part}{_without_dots(_plainly_escaped(parts.path))}{query}"


def _plainly_escaped(text: str) -> str:
    """What need not be escaped is not, and the rest is in capitals."""

    def plain(match: re.Match[str]) -> str:
        char = chr(int(match[1], 16))
        return char if char in _UNRESERVED else match[0].upper()

    return _ESCAPED.sub(plain, text)


def _without_dots(path: str) -> str:
    kept: list[str] = []
    for segment in path.split("/")[1:]:
        if segment == "..":
            kept = kept[:-1]
        elif segment != ".":
            kept.append(segment)
    return "".join(f"/{segment}" for segment in kept).rstrip("/")


def fill_in(apps: Any, _schema_editor: Any) -> None:
    """Write the keys of servers that have a URL and no key."""
    server = apps.get_model("servers", "Server")
    for row in server.objects.filter(endpoint_key="").exclude(url="").only("pk", "url").iterator():
        server.objects.filter(pk=row.pk).update(endpoint_key=endpoint_key(row.url))


# What was decided about servers that are there already goes on to count, and goes on to stand by its last look.
STANDING = """
UPDATE servers_server SET registered_at = created_at, last_complete_at = CASE
    WHEN last_error_class = '' THEN last_polled_at
    ELSE (SELECT max(sample.time) FROM servers_healthsample AS sample
        WHERE sample.server_id = servers_server.id AND sample.ok) END
"""


class Migration(migrations.Migration):
    """Data only. Going back leaves the keys where they are."""

    dependencies = [("servers", "0004_endpoint_key")]
    operations = [
        migrations.RunPython(fill_in, migrations.RunPython.noop),
        migrations.RunSQL(STANDING, migrations.RunSQL.noop),
    ]

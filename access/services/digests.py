"""Digests of what policy is decided by: kept with every change, so that a change past the services shows.

What a transaction touched is noted by triggers (`access_policy_touch`) in a setting that ends with it. So the state
before is known when the change is made already, and is compared with what the change before left behind
(docs/adr/0024-policy-digests.md).
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Any, Final

from django.conf import settings
from django.db import connection, transaction

from access.counted import BUCKET, FORMAT, counted_for
from access.models import PolicyDigest, Revision
from audit.events import Event, RecordType
from audit.models import Record
from audit.services import record
from core.actor import system_actor
from core.canonical import canonical_bytes
from core.names import subject

Digests = Mapping[str, Mapping[str, str]]  # by table and bucket; a bucket without rows has none
Row = tuple[int, int, str | None]  # id, bucket, and the hash before: None where no row counted
Touched = Mapping[str, Mapping[int, Row]]  # by table and id

STAMP: Final = 32  # characters of a part's digest in the records of calls
ITSELF: Final = "access_policydigest"
_ACTOR: Final = system_actor("policy")
_WHOLE: Final = "encode(sha256(convert_to(coalesce(string_agg(h, '' ORDER BY id), ''), 'UTF8')), 'hex')"

_PUT_BACK: Final = (
    "SELECT u.id, u.b, u.h FROM unnest(%s::bigint[], %s::bigint[], %s::text[]) u(id, b, h) WHERE u.h IS NOT NULL"
)


def touched_setting(part: str) -> str:
    """The setting in which triggers note what the current transaction touches of `part`."""
    return "holdfast.policy_" + part.translate(str.maketrans(":-", "__"))


def keep_digests(part: str, n: int, notes: str) -> None:
    """Keep the digests before and after change `n` of `part`, within its transaction; `notes` are the triggers'.

    Where the state before is not what the change before left, somebody changed it past the services: that is recorded.
    Only what was touched is looked at. The caller holds the lock on the part's revision.
    """
    touched = _touched(notes)
    if not touched:
        return
    last = _last(part)
    before, after = _around(part, touched)
    if last is None:
        # Calls may have been decided by what was there before.
        now = _digests(part)
        was = _with(now, touched, before)
        _keep(part, n - 1, {}, was)
        _keep(part, n, was, now)
        return
    was = _with(last.after, touched, before)
    _tell(last, was)
    _keep(part, n, was, _with(last.after, touched, after))


def altered(part: str) -> tuple[str, ...]:
    """The tables whose rows of `part` are not what the last change left; the digests' own where they are forged."""
    last = _last(part)
    return () if last is None else _differing(last, _digests(part))


def tell_alterations() -> int:
    """Record every part that was changed past the services since the last look; answers how many."""
    parts = Revision.objects.order_by("part").values_list("part", flat=True)
    return sum(_told(part) for part in parts if _last(part) is None or altered(part))


def policy_digest(part: str) -> str:
    """The digest of `part` as its rows are now."""
    return _digest_of(_digests(part))


def stamp(access: str, server: str) -> str:
    """What the record of a call says of the policy that it was decided by: the beginnings of both parts' digests."""
    return f"{access[:STAMP]}.{server[:STAMP]}"


def was_left_by_changes(stamped: str, *, slug: str) -> bool:
    """Whether the policy that a call was decided by is one that recorded changes made."""
    halves = dict(zip(("access", f"server:{slug}"), stamped.split("."), strict=False))
    return len(halves) == 2 and all(
        len(half) == STAMP and any(map(_is_ours, PolicyDigest.objects.left(part, half)))
        for part, half in halves.items()
    )


def tell_stamp(stamped: str, *, slug: str) -> bool:
    """Record, once, that calls to this server were decided by a policy that no change left; answers whether it was.

    The caller's transaction holds what lets only one look at a time.
    """
    reason = f"Calls were decided by a policy that no change left: {stamped}."
    told = Record.objects.of_event(Event.POLICY_ALTERED.value).on_server(slug).for_reason(reason)
    if was_left_by_changes(stamped, slug=slug) or told.exists():
        return False
    record(
        type=RecordType.ADMIN,
        event=Event.POLICY_ALTERED,
        actor=_ACTOR,
        subject=subject("policy", "stamp", slug),
        server=slug,
        reason=reason,
        after={"policy_digest": stamped},
    )
    return True


@transaction.atomic
def _told(part: str) -> bool:
    revision = Revision.objects.select_for_update().get(part=part)  # no change of ours is under way any more
    last, now = _last(part), _digests(part)
    if last is None:
        _keep(part, revision.n, {}, now)
        return False
    told = _tell(last, now)
    if told:
        _keep(part, revision.n, now, now)
    return told


def _last(part: str) -> PolicyDigest | None:
    last = PolicyDigest.objects.last_of(part)
    return last if last is not None and last.format == FORMAT else None


def _tell(last: PolicyDigest, now: Digests) -> bool:
    tables = _differing(last, now)
    if tables:
        kind, _, slug = last.part.partition(":")
        record(
            type=RecordType.ADMIN,
            event=Event.POLICY_ALTERED,
            actor=_ACTOR,
            subject=subject("policy", kind, slug) if slug else subject("policy", kind),
            server=slug,
            reason=f"Changed past the services: {', '.join(tables)}.",
            before=_brief(last.after, tables),
            after=_brief(now, tables),
        )
    return bool(tables)


def _brief(digests: Digests, tables: Sequence[str]) -> dict[str, str]:
    return {table: _digest_of({table: digests.get(table, {})}) for table in tables}


def _differing(last: PolicyDigest, now: Digests) -> tuple[str, ...]:
    if not _is_ours(last):
        return (ITSELF,)
    return tuple(sorted(table for table in now if now[table] != last.after.get(table, {})))


def _keep(part: str, n: int, before: Digests, after: Digests) -> None:
    row = PolicyDigest(part=part, n=n, format=FORMAT, before=before, after=after, digest=_digest_of(after))
    row.mac = _mac(row, settings.AUDIT_KEYS[0])
    row.save()


def _is_ours(row: PolicyDigest) -> bool:
    return any(hmac.compare_digest(row.mac, _mac(row, key)) for key in settings.AUDIT_KEYS)


def _mac(row: PolicyDigest, key: bytes) -> str:
    said = {"part": row.part, "n": row.n, "format": row.format, "before": row.before, "after": row.after}
    own = hmac.digest(key, b"policy digests", "sha256")
    body = canonical_bytes({**said, "digest": row.digest, "installation": settings.INSTALLATION_ID})
    return hmac.new(own, b"holdfast-policy/1\0" + body, hashlib.sha256).hexdigest()


def _digest_of(digests: Digests) -> str:
    return hashlib.sha256(canonical_bytes(dict(digests))).hexdigest()


def _touched(notes: str) -> Touched:
    found: dict[str, dict[int, Row]] = {}
    for line in notes.splitlines():
        table, id_, bucket, hashed = line.split(" ")
        # The first note of a row says what it was; later ones say what this very transaction made of it.
        row = (int(id_), int(bucket), None if hashed == "-" else hashed)
        found.setdefault(table, {}).setdefault(row[0], row)
    return found


def _with(digests: Digests, touched: Touched, those: Digests) -> dict[str, dict[str, str]]:
    """`digests` with those of the touched buckets put in."""
    found = {table: dict(each) for table, each in digests.items()}
    for table, rows in touched.items():
        for bucket in {str(row[1]) for row in rows.values()}:
            found.setdefault(table, {}).pop(bucket, None)
        found[table] |= those.get(table, {})
    return found


def _digests(part: str) -> dict[str, dict[str, str]]:
    """All of `part` as its rows are now."""
    kind, _, name = part.partition(":")
    counted = counted_for(kind)
    selects = [f"SELECT '{each.table}', b::text, {_WHOLE} FROM ({each.rows}) x GROUP BY b" for each in counted]  # noqa: S608 -- our own words
    values = [name for each in counted if each.of_part]
    found: dict[str, dict[str, str]] = {each.table: {} for each in counted}
    for table, bucket, digest in _read(selects, values):
        found[table][bucket] = digest
    return found


def _around(part: str, touched: Touched) -> tuple[Digests, Digests]:
    """Of the touched buckets: before this transaction, and as they are now."""
    kind, _, name = part.partition(":")
    selects: list[str] = []
    values: list[Any] = []
    for each in counted_for(kind):
        rows = list(touched.get(each.table, {}).values())
        if not rows:
            continue
        ids, buckets, hashes = (list(column) for column in zip(*rows, strict=True))
        near = " OR ".join(
            f"t.{each.key} BETWEEN {bucket * BUCKET} AND {bucket * BUCKET + BUCKET - 1}"
            for bucket in sorted(set(buckets))
        )
        now, own = f"{each.rows} AND ({near})", [name] if each.of_part else []
        was = f"{now} AND t.id <> ALL(%s::bigint[]) UNION ALL {_PUT_BACK}"
        for side, query in (("now", now), ("was", was)):
            selects.append(f"SELECT '{side} {each.table}', b::text, {_WHOLE} FROM ({query}) x GROUP BY b")  # noqa: S608 -- our own words
        values += [*own, *own, ids, ids, buckets, hashes]
    sides: dict[str, dict[str, dict[str, str]]] = {"was": {}, "now": {}}
    for place, bucket, digest in _read(selects, values):
        side, table = place.split(" ")
        sides[side].setdefault(table, {})[bucket] = digest
    return sides["was"], sides["now"]


def _read(selects: Sequence[str], values: Sequence[Any]) -> list[tuple[str, str, str]]:
    if not selects:
        return []
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(selects), values)
        found: list[tuple[str, str, str]] = cursor.fetchall()
    return found

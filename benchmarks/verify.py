"""How fast a log is verified: `.venv/bin/python -m benchmarks.verify [RECORDS] [RECORDS OF THE DATABASE]`.

Records of calls of four gateways and, one in ten, of the control plane, all with chain and MAC, and one checkpoint.
First an export of them, by the verification that an auditor runs; then the same in a PostgreSQL of its own, by the one
that the installation runs each night, and there its comparison of search columns by itself. CPU of this process, and
the time that it takes with PostgreSQL beside it. One run each: it is long enough.
"""

import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from audit import verify
from audit.chaining import Chain
from audit.drafts import COLUMNS, Position, RecordDraft, columns, shard_of
from audit.events import Event, RecordType
from audit.proof import bundle
from audit.proof.bundle import Header
from audit.proof.chain import control_plane_mac, leaf
from audit.proof.checkpoint import Checkpoint, sign_checkpoint
from audit.proof.findings import Report
from audit.proof.merkle import Frontier
from audit.proof.note import SigningKey
from benchmarks.records import _database, intent, outcome
from benchmarks.report import verdict
from core.ids import new_id

MUST = 50_000  # records a second
ORIGIN = "benchmark.example/audit"
SHARD = shard_of(datetime.now(UTC))
GATEWAYS = 4
Row = tuple[dict[str, Any], bytes | None, bytes]  # columns, chain, MAC


def main(records: int, records_of_the_database: int) -> None:
    """Print the figures."""
    print(verdict(f"records/s of CPU, an export of {records}", _export(records), MUST, more=True))
    with _database():
        for line in _in_the_database(records_of_the_database):
            print(line)


def made(count: int, installation: str, key: bytes) -> Iterator[Row]:
    """So many records, in the order of their places."""
    chains = [Chain(installation, new_id(), SHARD, key) for _ in range(GATEWAYS)]
    open_calls = [new_id() for _ in chains]
    for number in range(count):
        if number % 10 == 9:
            draft = RecordDraft(
                type=RecordType.CONFIG, event=Event.SERVER_EDITED, principal="system:benchmark", time=datetime.now(UTC),
                before={"url": "https://a.example"}, after={"url": "https://b.example"},
            )  # fmt: skip
            row = columns(draft, installation=installation, shard=SHARD)
            yield row, None, control_plane_mac(key, draft.id, SHARD, leaf(row["body"]))
            continue
        which = number % GATEWAYS
        chain, ends = chains[which], chains[which].seq % 2
        if not ends:
            open_calls[which] = new_id()
        draft = (outcome if ends else intent)(open_calls[which])
        place = Position(chain.writer, chain.seq + 1)
        row = columns(draft, installation=installation, shard=SHARD, position=place)
        yield row, *chain.add(row["body"])


def _export(count: int) -> float:
    """Records a second of CPU."""
    installation, key, signing = str(new_id()), bytes(32), SigningKey.generate(ORIGIN)
    tree = Frontier()
    with tempfile.TemporaryDirectory() as directory:
        body, export = Path(directory) / "body", Path(directory) / "export.jsonl"
        with body.open("wb") as stream:
            for index, (row, link, mac) in enumerate(made(count, installation, key)):
                writer = str(row["writer"]).encode() if row["writer"] is not None else None
                hashed = leaf(row["body"])
                tree.append(hashed)
                record = str(row["id"]).encode()
                stream.write(bundle.line((index, SHARD, record, writer, row["seq"], link, mac, hashed, row["body"])))
        note = sign_checkpoint(Checkpoint(ORIGIN, count, tree.root()), signing).decode()
        header = Header(installation=installation, origin=ORIGIN, first=0, end=count, checkpoint=note)
        with export.open("wb") as stream, body.open("rb") as lines:
            stream.write(header.line())
            while part := lines.read(1 << 20):
                stream.write(part)
        print(f"export of {count} records: {export.stat().st_size / 1e6:.0f} MB")
        with export.open("rb", buffering=1 << 20) as stream:
            began = time.process_time()
            report = verify.verify_export(stream, verify.Trusted([signing.verifier], [key]))
            took = time.process_time() - began
    _check(report, count)
    return count / took


def _in_the_database(count: int) -> Iterator[str]:
    from django.conf import settings

    from audit.services.reading import placed_rows
    from audit.services.verifying import _columns, verify_log
    from core.actor import system_actor

    _fill(count, settings.INSTALLATION_ID, settings.AUDIT_KEYS[0])
    began, cpu = time.perf_counter(), time.process_time()
    report = verify_log(actor=system_actor("benchmark"), is_full=True)
    whole, whole_cpu = time.perf_counter() - began, time.process_time() - cpu
    _check(report, count)
    began, cpu = time.perf_counter(), time.process_time()
    assert not list(_columns(0))
    second, second_cpu = time.perf_counter() - began, time.process_time() - cpu
    began = time.process_time()
    assert sum(1 for _ in placed_rows(0)) == count
    reading = time.process_time() - began
    first, first_cpu = whole - second, whole_cpu - second_cpu
    yield verdict(f"records/s of CPU, a database of {count}: places, chains, MACs", count / first_cpu, MUST, more=True)
    yield f"{'':8}{count / first:>10.0f}  records/s by the clock"
    yield f"{'':8}{count / second_cpu:>10.0f}  records/s of CPU, search columns ({count / reading:.0f} to read them)"
    yield f"{'':8}{count / second:>10.0f}  records/s by the clock"


def _fill(count: int, installation: str, key: bytes) -> None:
    import os

    import psycopg
    from psycopg import sql
    from psycopg.types.json import Jsonb

    names = [*COLUMNS, "chain", "mac"]
    into = sql.SQL("COPY audit_record ({}) FROM STDIN").format(sql.SQL(", ").join(map(sql.Identifier, names)))
    leaves = []
    with psycopg.connect(os.environ["DATABASE_ADMIN_URL"]) as connection, connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_record DISABLE TRIGGER audit_queue")
        with cursor.copy(into) as copy:
            for index, (row, link, mac) in enumerate(made(count, installation, key)):
                values = [Jsonb(value) if isinstance(value, dict) else value for value in map(row.get, COLUMNS)]
                copy.write_row([*values, link, mac])
                leaves.append((SHARD, index, row["id"], row["writer"], row["seq"], leaf(row["body"])))
        with cursor.copy("COPY audit_leaf (shard, index, record_id, writer, seq, hash) FROM STDIN") as copy:
            for each in leaves:
                copy.write_row(each)
        cursor.execute("ALTER TABLE audit_record ENABLE ALWAYS TRIGGER audit_queue")
    with psycopg.connect(os.environ["DATABASE_ADMIN_URL"], autocommit=True) as connection:
        connection.execute("ANALYZE audit_record, audit_leaf")


def _check(report: Report, count: int) -> None:
    assert (report.count, report.records, report.authenticated) == (0, count, count), list(report.lines())[:10]


if __name__ == "__main__":
    given = [int(text) for text in sys.argv[1:]]
    main(*(given + [500_000, 100_000][len(given) :]))

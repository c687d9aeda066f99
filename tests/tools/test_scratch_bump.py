import time
import pytest
from django.db import connection, transaction
from access.services import bump_revision, policy_digest
from access.services import digests

@pytest.mark.django_db
def test_scratch(db):
    out = open("/tmp/intent_scratch/bump.txt", "w")
    with connection.cursor() as c:
        c.execute("INSERT INTO servers_server (public_id, slug, name, url, template, transport, environment, state, required_approvals, created_at, protocol_era, protocol_version, last_error_class, last_error, poll_interval, failures, next_poll_at, drift_mode) SELECT gen_random_uuid(), 'big', 'big', 'http://127.0.0.1/', '', 'streamable_http', 'development', 'active', 1, now(), '', '', '', '', 300, 0, now(), 'block'")
        c.execute("SELECT column_name, is_nullable, data_type, column_default FROM information_schema.columns WHERE table_name='tools_definition'")
        out.write(repr(c.fetchall()) + "\n")
        c.execute("SELECT column_name, is_nullable, data_type, column_default FROM information_schema.columns WHERE table_name='tools_definitionversion'")
        out.write(repr(c.fetchall()) + "\n")
    from servers.models import Server
    from tools.models import Definition, DefinitionVersion, Pin, Review
    server = Server.objects.get(slug="big")
    for n in (1000, 10000):
        start = Definition.objects.count()
        defs = Definition.objects.bulk_create([Definition(server=server, kind="tool", name=f"t{start+i}") for i in range(n - start)])
        with connection.cursor() as c:
            c.execute("ALTER TABLE tools_pin DISABLE TRIGGER ALL") if False else None
        vers = DefinitionVersion.objects.bulk_create([DefinitionVersion(definition=d, digest=f"sha256:{d.pk:064d}", text="{}") for d in defs])
        try:
            with transaction.atomic():
                revs = Review.objects.bulk_create([Review(definition=d, version=v) for d, v in zip(defs, vers)])
                t=time.perf_counter()
                Pin.objects.bulk_create([Pin(definition=d, version=v, review=r) for d, v, r in zip(defs, vers, revs)], batch_size=5000)
                out.write(f"{n}: insert pins {time.perf_counter()-t:.3f}\n")
        except Exception as e:
            out.write(f"pins failed {e!r}\n")
            raise
        for label in ("first with notes", "again", "again", "again"):
            t = time.perf_counter(); bump_revision("server:big"); out.write(f"{n} bump {label}: {(time.perf_counter()-t)*1000:.1f} ms\n")
        t = time.perf_counter(); policy_digest("server:big"); out.write(f"{n} digest: {(time.perf_counter()-t)*1000:.1f} ms\n")
        t = time.perf_counter(); bump_revision("access"); out.write(f"access bump: {(time.perf_counter()-t)*1000:.1f} ms\n")
        t = time.perf_counter(); bump_revision("access"); out.write(f"access bump: {(time.perf_counter()-t)*1000:.1f} ms\n")
    out.close()

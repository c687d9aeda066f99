"""The guards of the server table hold against raw SQL of the application's role."""

from datetime import timedelta
from importlib import import_module

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from access.models import Person
from servers.days import note_look
from servers.limits import LIMITS, CallLimits
from servers.models import HealthDay, Server
from servers.rules import endpoint_key

pytestmark = pytest.mark.django_db


@pytest.fixture
def server() -> Server:
    olga, _ = Person.objects.get_or_create(username="olga")
    return Server.objects.create(
        slug="files", name="Files", url="http://127.0.0.1/", environment="development", registered_by=olga
    )


def _refused(sql: str, *values: int) -> None:
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, values)


def test_a_slug_never_changes_and_never_becomes_free(server: Server) -> None:
    _refused("UPDATE servers_server SET slug = 'mail' WHERE id = %s", server.pk)
    _refused("DELETE FROM servers_server WHERE id = %s", server.pk)


def test_who_registered_a_server_is_not_rewritten_to_make_room_for_an_approval(server: Server) -> None:
    mallory = Person.objects.create(username="mallory")
    _refused("UPDATE servers_server SET registered_by_id = %s WHERE id = %s", mallory.pk, server.pk)
    _refused("UPDATE servers_server SET registered_by_id = NULL WHERE id = %s", server.pk)


def test_who_moved_a_server_is_written_with_the_move_and_not_taken_back(server: Server) -> None:
    mallory = Person.objects.create(username="mallory")
    _refused("UPDATE servers_server SET endpoint_changed_by_id = %s WHERE id = %s", mallory.pk, server.pk)
    Server.objects.filter(pk=server.pk).update(url="http://127.0.0.1:1/", endpoint_changed_by=mallory)
    _refused("UPDATE servers_server SET endpoint_changed_by_id = NULL WHERE id = %s", server.pk)


def test_when_a_server_was_registered_is_not_dated_back(server: Server) -> None:
    _refused("UPDATE servers_server SET registered_at = registered_at - interval '1 day' WHERE id = %s", server.pk)


def test_a_retired_server_is_registered_anew_by_anybody(server: Server) -> None:
    mallory = Person.objects.create(username="mallory")
    Server.objects.filter(pk=server.pk).update(state="retired")
    _refused(
        "UPDATE servers_server SET state = 'registered', registered_by_id = %s WHERE id = %s", mallory.pk, server.pk
    )
    Server.objects.filter(pk=server.pk).update(
        state="registered", registered_by=mallory, registered_at=server.registered_at + timedelta(seconds=1)
    )
    server.refresh_from_db()
    assert server.registered_by == mallory


def test_servers_that_were_registered_before_get_their_endpoint_key(server: Server) -> None:
    url = "HTTPS://Mcp.Example.com:443/a/../%62/?q=%2f"
    Server.objects.update(url=url, endpoint_key="")
    import_module("servers.migrations.0005_endpoint_keys").fill_in(apps, None)
    assert Server.objects.get().endpoint_key == endpoint_key(url) == "https://mcp.example.com/b?q=%2F"


def test_the_release_before_registers_servers_without_knowing_of_limits_and_tags(server: Server) -> None:
    new = {*LIMITS, "tags", "id"}
    columns = [field.attname for field in Server._meta.concrete_fields if field.name not in new]
    values = ["'notes'" if name == "slug" else "gen_random_uuid()" if name == "public_id" else name for name in columns]
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO servers_server ({', '.join(columns)}) SELECT {', '.join(values)} FROM servers_server"
        )
    made = Server.objects.get(slug="notes")
    assert (made.limits, made.tags) == (CallLimits(), [])


def test_looks_from_before_are_counted_as_they_would_have_been(server: Server) -> None:
    moment = timezone.now()
    durations = [0, 1, 15, 16, 17, 31, 32, 127, 128, 129, 1000, 65_536, 4_194_303, 9_999_999]
    for number, taken in enumerate(durations):
        note_look(server, time=moment - timedelta(days=number % 3), latency_ms=taken)
    note_look(server, time=moment, latency_ms=3, error_class="timeout")
    expected = list(HealthDay.objects.order_by("day").values_list("day", "took", "failed"))
    HealthDay.objects.all().delete()
    sql = import_module("servers.migrations.0012_days_of_samples").COUNT
    with connection.cursor() as cursor:
        cursor.execute(sql)
        cursor.execute(sql)
    assert list(HealthDay.objects.order_by("day").values_list("day", "took", "failed")) == expected

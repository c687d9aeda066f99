"""The guards of the server table hold against raw SQL of the application's role."""

from datetime import timedelta
from importlib import import_module

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, transaction

from access.models import Person
from servers.limits import LIMITS, CallLimits
from servers.models import Server
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


def test_the_release_before_registers_servers_without_knowing_of_limits(server: Server) -> None:
    columns = [field.attname for field in Server._meta.concrete_fields if field.name not in (*LIMITS, "id")]
    values = ["'notes'" if name == "slug" else "gen_random_uuid()" if name == "public_id" else name for name in columns]
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO servers_server ({', '.join(columns)}) SELECT {', '.join(values)} FROM servers_server"
        )
    assert Server.objects.get(slug="notes").limits == CallLimits()

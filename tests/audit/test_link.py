"""The writer's own way through libpq: done, refused and still of use, or lost."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from audit.link import Link

STATEMENTS = {
    "nothing": b"SELECT $1::text",
    "wait": b"SELECT pg_sleep($1::text::float8)",
    "divide": b"SELECT 1 / $1::text::int",
    "setting": b"SELECT 1 / (current_setting('statement_timeout') = $1::text)::int",
}
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
async def link() -> AsyncIterator[Link]:
    opened = await Link.open(conninfo_to_dict(os.environ["DATABASE_URL"]), ["SET statement_timeout = 5000"], STATEMENTS)
    yield opened
    opened.close()


async def test_a_statement_is_done_and_the_settings_hold(link: Link) -> None:
    await link.run("nothing", [b"x"])
    await link.run("setting", [b"5s"])
    assert not link.lost


async def test_what_does_not_fit_into_the_socket_at_once_arrives(link: Link) -> None:
    await link.run("nothing", [b"x" * 20_000_000])
    await link.run("nothing", [b"x"])


async def test_what_the_server_refuses_raises_its_error_and_the_link_goes_on(link: Link) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero):
        await link.run("divide", [b"0"])
    with pytest.raises(psycopg.errors.QueryCanceled):
        await link.run("wait", [b"30"])
    assert not link.lost
    await link.run("nothing", [b"x"])


async def test_a_cancelled_statement_loses_the_link(link: Link) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await link.run("wait", [b"0.5"])
    assert link.lost
    with pytest.raises(psycopg.OperationalError):
        await link.run("nothing", [b"x"])


async def test_who_is_cancelled_with_the_answer_there_did_not_get_it_and_the_link_is_lost(link: Link) -> None:
    """A loop that stood still finds the answer and the end of the time at once."""

    async def hurried() -> None:
        async with asyncio.timeout(0.2):
            await link.run("wait", [b"0.1"])

    asyncio.get_running_loop().call_soon(time.sleep, 0.4)
    with pytest.raises(TimeoutError):
        await hurried()
    assert link.lost


@pytest.mark.parametrize("waiting", [True, False])
async def test_a_connection_that_is_cut_is_noticed(
    link: Link, owner_connection: "psycopg.Connection[Any]", *, waiting: bool
) -> None:
    running = asyncio.create_task(link.run("wait", [b"30"])) if waiting else None
    await asyncio.sleep(0)
    cut = "SELECT pg_terminate_backend(%s)"
    await asyncio.to_thread(owner_connection.execute, cut, [link.backend])
    if running is not None:
        with pytest.raises(psycopg.OperationalError):
            await running
    async with asyncio.timeout(60):
        while not link.lost:  # noqa: ASYNC110 -- the socket's event sets no other
            await asyncio.sleep(0.01)


async def test_a_statement_that_cannot_be_prepared_leaves_no_connection() -> None:
    parameters = conninfo_to_dict(os.environ["DATABASE_URL"])
    with pytest.raises(psycopg.errors.UndefinedTable):
        await Link.open(parameters, ["SELECT 1"], {"bad": b"SELECT * FROM no_such_table"})

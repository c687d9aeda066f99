"""The lock that says that a gateway process lives; who takes whom for dead is in `test_services_reconciling`."""

import os
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from psycopg.conninfo import conninfo_to_dict
from psycopg.errors import ObjectNotInPrerequisiteState

from audit.boots import SETTINGS, STATEMENTS, OwnBoot
from audit.link import Link
from audit.models import Boot, Writer
from audit.wire import INSERT_WRITER
from audit.writer import GroupCommitWriter
from tests.audit.test_writer import PATIENCE, a_draft

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
async def link() -> AsyncIterator[Link]:
    opened = await _opened()
    yield opened
    opened.close()


async def _opened() -> Link:
    return await Link.open(conninfo_to_dict(os.environ["DATABASE_URL"]), SETTINGS, STATEMENTS)


async def test_a_boot_is_held_through_a_second_connection_while_the_first_is_not_gone_yet(link: Link) -> None:
    boot, second = OwnBoot("p"), await _opened()
    first: UUID = boot.id
    await boot.begin(link)
    await boot.begin(second)
    second.close()
    assert boot.id == first
    assert boot.is_begun
    assert [found.id async for found in Boot.objects.all()] == [first]


async def test_a_boot_that_was_ended_cannot_be_held_and_another_one_follows(link: Link) -> None:
    boot = OwnBoot("p")
    await boot.begin(link)
    ended: UUID = boot.id
    await Boot.objects.aupdate(ended_at="2026-11-28T12:00:00Z")
    with pytest.raises(ObjectNotInPrerequisiteState):
        await boot._hold(link)
    await boot.begin(link)
    assert boot.id != ended
    assert {found.id async for found in Boot.objects.all()} == {ended, boot.id}


async def test_writers_belong_to_the_boot_of_their_connection() -> None:
    assert b"boot" not in INSERT_WRITER  # the column's default says it, and nobody else can
    async with GroupCommitWriter(process="test", timeout=PATIENCE) as writer:
        await writer.write(a_draft())
        boot = writer.boot.id
    assert (await Writer.objects.aget()).boot == boot


async def test_a_beat_is_now_and_then(link: Link) -> None:
    boot = OwnBoot("p")
    await boot.begin(link)
    for _ in range(2):
        await boot.beat(link)
        mark = (await Boot.objects.aget()).mark
    assert mark is not None
    await boot.beat(link)
    assert (await Boot.objects.aget()).mark == mark


async def test_a_boot_that_is_given_up_no_longer_says_which_calls_are_open(link: Link) -> None:
    boot = OwnBoot("p")
    await boot.begin(link)
    boot.give_up()
    await boot.beat(link)
    assert (await Boot.objects.aget()).mark is None

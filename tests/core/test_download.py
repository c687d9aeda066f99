"""A file that is made while it is sent."""

from collections.abc import Iterator

import pytest
from asgiref.sync import async_to_sync

from core.download import download


async def first(response: object, count: int) -> list[bytes]:
    found = []
    async for chunk in response:  # type: ignore[attr-defined]
        found.append(chunk)
        if len(found) == count:
            break
    return found


def test_nothing_is_made_before_it_is_asked_for() -> None:
    made: list[int] = []

    def chunks() -> Iterator[bytes]:
        for number in range(100):
            made.append(number)
            yield b"" if number == 1 else b"%d" % number

    response = download(chunks(), name="a.csv", content_type="text/csv")
    assert made == []
    assert async_to_sync(first)(response, 2) == [b"0", b"2"]
    assert made == [0, 1, 2]
    assert response["Cache-Control"] == "no-store"
    assert response["Content-Disposition"] == 'attachment; filename="a.csv"'


def test_what_fails_on_the_way_breaks_off() -> None:
    def chunks() -> Iterator[bytes]:
        yield b"a"
        raise ValueError("the rest")

    response = download(chunks(), name="a.csv", content_type="text/csv")
    with pytest.raises(ValueError, match="the rest"):
        async_to_sync(first)(response, 5)

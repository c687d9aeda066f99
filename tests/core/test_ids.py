"""Public ids are UUIDv7."""

from core.ids import new_id


def test_ids_are_version_7_and_sort_by_time() -> None:
    made = [new_id() for _ in range(50)]
    assert {identity.version for identity in made} == {7}
    assert made == sorted(made)

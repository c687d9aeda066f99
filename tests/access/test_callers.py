"""What a caller's address counts as."""

import pytest

from access.callers import counted_as


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("", "unknown"),
        ("nonsense", "unknown"),
    ],
)
def test_who_has_a_network_is_counted_once(address: str, counted: str) -> None:
    assert counted_as(address) == counted

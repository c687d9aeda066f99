"""Secrets that we generate are kept under a keyed hash."""

from typing import Any

from django.contrib.auth.hashers import check_password, identify_hasher, make_password

from access.oauth.hashers import ClientSecretHasher


def test_a_secret_is_verified_and_no_other_text_is() -> None:
    stored = make_password("hfs_1", hasher="holdfast_client_secret")
    assert check_password("hfs_1", stored)
    for other in ("", "hfs_2", "HFS_1", "hfs_1\0", "\ud800"):
        assert not check_password(other, stored)


def test_equal_secrets_have_different_hashes_that_do_not_show_them() -> None:
    first, second = (make_password("hfs_1", hasher="holdfast_client_secret") for _ in range(2))
    assert first != second
    assert "hfs_1" not in first
    assert len(first) <= 255


def test_a_hash_made_under_another_key_or_installation_is_worthless(settings: Any) -> None:
    stored = make_password("hfs_1", hasher="holdfast_client_secret")
    settings.INSTALLATION_ID = "elsewhere"
    assert not check_password("hfs_1", stored)
    settings.INSTALLATION_ID = "holdfast"
    assert check_password("hfs_1", stored)
    settings.TOKEN_KEY = b"x" * 32
    assert not check_password("hfs_1", stored)


def test_peoples_passwords_never_take_the_fast_hash() -> None:
    assert identify_hasher(make_password("a password")).algorithm == "scrypt"


def test_a_summary_shows_the_algorithm_only() -> None:
    hasher = ClientSecretHasher()
    encoded = hasher.encode("hfs_1", hasher.salt())
    assert hasher.safe_summary(encoded) == {"algorithm": "holdfast_client_secret"}
    assert not hasher.must_update(encoded)
    hasher.harden_runtime("hfs_1", encoded)

"""Public identifiers: UUIDv7 (RFC 9562), sortable by time of creation."""

import uuid

import uuid6


def new_id() -> uuid.UUID:
    """A fresh UUIDv7. Returned as the standard library's type, which the ORM and drivers expect."""
    return uuid.UUID(bytes=uuid6.uuid7().bytes)

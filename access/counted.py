"""Which rows policy is decided by, so that a digest of them shows what changed without a record. Pure module.

Each app names the rows that it owns. The same words stand in the triggers that note what a transaction touches
(migrations `access.0010`, `servers.0008`, `tools.0005`).
"""

from dataclasses import dataclass
from typing import Final

FORMAT: Final = 1  # of all that is counted: digests of another are not compared with
BUCKET: Final = 256  # neighbouring keys that have one digest


@dataclass(frozen=True, slots=True)
class Counted:
    """Rows of one table, called `t`: the columns that decide, or queries in brackets; and which rows count.

    `of_part` says which are those of the part whose name is `%s`. Rows whose `key` is near have one digest together, so
    that a change costs no more than what it touches.
    """

    table: str
    columns: tuple[str, ...]
    where: str = "true"
    of_part: str = ""
    key: str = "id"

    @property
    def chosen(self) -> str:
        """The columns in SQL."""
        return ", ".join(column if column.startswith("(") else f"t.{column}" for column in self.columns)

    @property
    def rows(self) -> str:
        """A query of id, bucket and hash of each row that counts."""
        hashed = f"encode(sha256(convert_to(jsonb_build_array({self.chosen})::text, 'UTF8')), 'hex')"
        of_part = f" AND {self.of_part}" if self.of_part else ""
        return (
            f"SELECT t.id, t.{self.key} / {BUCKET} AS b, {hashed} AS h FROM {self.table} t WHERE {self.where}{of_part}"  # noqa: S608 -- our own words
        )


ACCESS: Final = (
    Counted("access_agent", ("id", "state", "owner_team_id"), "t.state <> 'active'"),
    Counted(
        "access_grant",
        ("id", "public_id", "role_id", "person_id", "agent_id", "team_id", "environment", "expires_at", "conditions"),
        "t.revoked_at IS NULL",
    ),
    Counted("access_membership", ("id", "team_id", "person_id")),
    Counted("access_person", ("id", "is_active"), "NOT t.is_active"),
    Counted("access_role", ("id", "name", "scopes", "reach")),
    Counted("access_roleseparation", ("id", "first_id", "second_id")),
    Counted("access_suspension", ("id", "kind", "name", "owner_team"), "t.lifted_at IS NULL"),
)
_counted: Final[dict[str, tuple[Counted, ...]]] = {"access": ACCESS, "server": ()}


def count_for_servers(*counted: Counted) -> None:
    """From now on these rows are in the digest of a server's part; each app says so once, when it is loaded."""
    _counted["server"] = (*_counted["server"], *counted)


def counted_for(kind: str) -> tuple[Counted, ...]:
    """The rows that a part of this kind is digested over; none for a kind that nobody knows."""
    return _counted.get(kind, ())

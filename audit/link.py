"""One connection to PostgreSQL for a few prepared statements, one at a time, with nothing between us and libpq.

psycopg connects, so whatever a connection string can say holds here as everywhere; its cursors are left out, because
each of their waits costs an event loop more than the statement (docs/adr, "Audit writer's driver"). For writing
only: rows are counted and thrown away. Not for several tasks at once.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Self

import psycopg
from django.db import connections
from psycopg import pq
from psycopg.pq import DiagnosticField, ExecStatus

_DONE: Final = (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK)
_CONNECTION_PARTS: Final = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}


class Link:
    """Made by `open`. Once `lost`, it is of no use any more."""

    def __init__(self, connection: psycopg.AsyncConnection[Any]) -> None:
        self._connection = connection  # kept, because it would complain when collected
        self._libpq = connection.pgconn
        self._socket = self._libpq.socket
        self._loop = asyncio.get_running_loop()
        self._done: asyncio.Future[None] | None = None
        self._count = 0  # rows of the answer
        self._error: psycopg.Error | None = None
        self._writing = False  # whether we wait until the socket takes more
        self.lost = False
        self._loop.add_reader(self._socket, self._readable)

    @classmethod
    async def open(cls, parameters: Mapping[str, Any], settings: str, statements: Mapping[str, bytes]) -> Self:
        """Connect, execute `settings` and prepare. Raises what psycopg raises, `OSError` included."""
        link = cls(await psycopg.AsyncConnection.connect(**parameters, autocommit=True))
        prepare = (b"; PREPARE %b AS %b" % (name.encode(), statement) for name, statement in statements.items())
        script = settings.encode() + b"".join(prepare)
        try:
            await link._exchange(link._libpq.send_query, script)
        except BaseException:
            link.close()
            raise
        return link

    @property
    def backend(self) -> int:
        """The process id of the server's end."""
        return int(self._libpq.backend_pid)

    async def run(self, statement: str, values: Sequence[bytes | None]) -> int:
        """Execute in a transaction of its own and answer how many rows it wrote; parameters are in binary format.

        Raises the `psycopg.Error` that the server answered: then nothing of it happened, and the link goes on unless
        it is `lost`. A statement that is cancelled or loses its connection has an unknown fate, and the link is lost.
        """
        if self.lost:
            raise psycopg.OperationalError("The connection is lost.")
        await self._exchange(self._libpq.send_query_prepared, statement.encode(), values, [1] * len(values))
        return self._count

    async def _exchange(self, send: Callable[..., None], *arguments: Any) -> None:
        done = self._done = self._loop.create_future()
        self._error = None
        try:
            send(*arguments)
            self._flush()
            await done
        except BaseException as error:
            # Whoever is cancelled while the answer is there already, as in a loop that stood still, does not get it.
            if not done.done() or isinstance(error, asyncio.CancelledError):
                self.close()
            raise
        finally:
            self._done = None

    def close(self) -> None:
        """Cut the connection, without waiting for anybody; what is not committed never will be, or already is."""
        if not self.lost:
            self.lost = True
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
            self._libpq.finish()

    def _flush(self) -> None:
        try:
            unsent = self._libpq.flush()
        except psycopg.OperationalError as error:
            self._fail(error)
            return
        if unsent and not self._writing:
            self._loop.add_writer(self._socket, self._flush)
        elif self._writing and not unsent:
            self._loop.remove_writer(self._socket)
        self._writing = bool(unsent)

    def _readable(self) -> None:
        try:
            self._libpq.consume_input()
            while self._done is not None and not self._done.done() and not self._libpq.is_busy():
                self._take(self._libpq.get_result())
        except psycopg.OperationalError as error:
            self._fail(error)

    def _take(self, result: "pq.abc.PGresult | None") -> None:
        """One answer of the server; None is the end of them."""
        if result is not None:
            self._error = self._error or _error_of(result)
            self._count = result.command_tuples or 0
        elif self._done is not None and self._error is None:
            self._done.set_result(None)
        elif self._done is not None and self._error is not None:
            if not self._error.sqlstate or self._libpq.status != pq.ConnStatus.OK:
                self.close()
            self._done.set_exception(self._error)

    def _fail(self, error: psycopg.Error) -> None:
        """The connection broke: an answer may still have said why."""
        self.close()
        if self._done is not None and not self._done.done():
            self._done.set_exception(self._error or error)


def _error_of(result: "pq.abc.PGresult") -> psycopg.Error | None:
    if result.status in _DONE:
        return None
    state = (result.error_field(DiagnosticField.SQLSTATE) or b"").decode()
    severity = result.error_field(DiagnosticField.SEVERITY_NONLOCALIZED)
    if severity != b"ERROR":  # the session ended, and what became of the transaction nobody said
        return psycopg.OperationalError(result.get_error_message())
    # Its detail holds the row, and so what a call says: whoever shows this error shows the sentence alone.
    sentence = (result.error_field(DiagnosticField.MESSAGE_PRIMARY) or b"").decode("utf-8", "replace")
    return _class_of(state)(sentence, info=result)


def _class_of(state: str) -> type[psycopg.Error]:
    try:
        return psycopg.errors.lookup(state)
    except KeyError:
        return psycopg.DatabaseError


def in_short(error: psycopg.Error) -> str:
    """For a log, without a row and without a value: class, SQLSTATE and constraint; of our own functions the sentence.

    What those refuse are months and boots, and their sentence names nothing else.
    """
    diag = error.diag
    if diag.source_function == "exec_stmt_raise":
        return str(error)
    return " ".join(filter(None, (type(error).__name__, error.sqlstate, diag.constraint_name)))


def parameters_from_settings() -> dict[str, Any]:
    """Parameters for libpq from Django's settings, without opening a connection of the ORM."""
    entry = connections["default"].settings_dict
    given = {_CONNECTION_PARTS[key]: entry[key] for key in _CONNECTION_PARTS if entry.get(key)}
    return {**given, **entry.get("OPTIONS", {})}

"""One connection to PostgreSQL for a few prepared statements, one after the other, and nothing between us and libpq.

psycopg connects, so whatever a connection string can say holds here as everywhere; its cursors are left out, because
each of their waits costs an event loop more than the statement (docs/adr, "Audit writer's driver"). For writing
only: rows are counted and thrown away. What is sent before the answer to the last came is executed after it, without
a way to us and back between the two (libpq's pipeline mode, a synchronisation after each statement).
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
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
        self._answers: deque[asyncio.Future[int]] = deque()  # of what was sent, the oldest first
        self._count = 0  # rows of the oldest
        self._error: psycopg.Error | None = None  # the same
        self._writing = False  # whether we wait until the socket takes more
        self.lost = False
        self._libpq.enter_pipeline_mode()
        self._loop.add_reader(self._socket, self._readable)

    @classmethod
    async def open(
        cls, parameters: Mapping[str, Any], settings: Iterable[str], statements: Mapping[str, bytes]
    ) -> Self:
        """Connect, execute `settings` and prepare. Raises what psycopg raises, `OSError` included."""
        link = cls(await psycopg.AsyncConnection.connect(**parameters, autocommit=True))
        prepare = [b"PREPARE %b AS %b" % (name.encode(), statement) for name, statement in statements.items()]
        try:
            begin = link._libpq.send_query_params
            await asyncio.gather(*[link._sent(begin, each, None) for each in (*map(str.encode, settings), *prepare)])
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
        return await self.answered(self.send(statement, values))

    def send(self, statement: str, values: Sequence[bytes | None]) -> "asyncio.Future[int]":
        """Have it executed after all that was sent before, whatever becomes of that; to be given to `answered`.

        Raises `OperationalError` where the link is lost.
        """
        return self._sent(self._libpq.send_query_prepared, statement.encode(), values, [1] * len(values))

    def _sent(self, send: Callable[..., None], *given: Any) -> "asyncio.Future[int]":
        if self.lost:
            raise psycopg.OperationalError("The connection is lost.")
        try:
            send(*given)
            self._libpq.pipeline_sync()  # what fails takes nothing along that comes behind it
        except BaseException:
            self.close()
            raise
        answer = self._loop.create_future()
        self._answers.append(answer)
        self._flush()
        return answer

    async def answered(self, answer: "asyncio.Future[int]") -> int:
        """Wait for the answer to what was sent; as `run`."""
        try:
            return await answer
        except asyncio.CancelledError:
            # Whoever is cancelled while the answer is there already, as in a loop that stood still, does not get it.
            self.close()
            raise

    def close(self) -> None:
        """Cut the connection, without waiting for anybody; what is not committed never will be, or already is."""
        self._fail(psycopg.OperationalError("The connection is lost."))

    def _flush(self) -> None:
        try:
            unsent = self._libpq.flush()
        except psycopg.OperationalError as error:
            self._fail(error)
            return
        if unsent:
            self._loop.call_soon(self._readable)  # libpq may have read as well, which the socket tells nobody
        if unsent and not self._writing:
            self._loop.add_writer(self._socket, self._flush)
        elif self._writing and not unsent:
            self._loop.remove_writer(self._socket)
        self._writing = bool(unsent)

    def _readable(self) -> None:
        try:
            self._libpq.consume_input()
            while not self.lost and not self._libpq.is_busy():
                result = self._libpq.get_result()
                if result is not None:
                    self._take(result)
                elif not self._answers:
                    break
        except psycopg.OperationalError as error:
            self._fail(self._error or error)  # an answer may still have said why

    def _take(self, result: "pq.abc.PGresult") -> None:
        """The next that the server says of what was sent; the end of each statement is told by itself."""
        if result.status != ExecStatus.PIPELINE_SYNC:
            self._count = result.command_tuples or 0
            self._error = self._error or _error_of(result)
            if self._error is not None and (not self._error.sqlstate or self._libpq.status != pq.ConnStatus.OK):
                self._fail(self._error)
            return
        answer, count, error = self._answers.popleft(), self._count, self._error
        self._count, self._error = 0, None
        if answer.done():
            return  # nobody waits for it
        if error is None:
            answer.set_result(count)
        else:
            answer.set_exception(error)

    def _fail(self, error: psycopg.Error) -> None:
        """The connection is of no use any more: nobody knows what became of what was sent."""
        if self.lost:
            return
        self.lost = True
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._libpq.finish()
        for answer in self._answers:
            if not answer.done():
                answer.set_exception(error)


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

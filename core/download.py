"""A file that is made while it is sent."""

from collections.abc import AsyncIterator, Iterator

from asgiref.sync import sync_to_async
from django.http import StreamingHttpResponse


def download(chunks: Iterator[bytes], *, name: str, content_type: str) -> StreamingHttpResponse:
    """An answer that reads `chunks` as fast as its reader takes them, and is never stored on its way.

    What `chunks` raises breaks the connection off, by which the reader knows that the file is not whole.
    """
    headers = {
        "Cache-Control": "no-store",
        "Content-Disposition": f'attachment; filename="{name}"',
        "X-Content-Type-Options": "nosniff",
    }
    return StreamingHttpResponse(_in_turn(chunks), content_type=content_type, headers=headers)


async def _in_turn(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    # Asynchronous, because Django would read a synchronous iterator to its end before it sends anything.
    following = sync_to_async(lambda: next(chunks, None))
    while True:
        chunk = await following()
        if chunk is None:
            return
        if chunk:
            yield chunk

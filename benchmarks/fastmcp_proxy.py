"""FastMCP's proxy in its fastest set-up: `python -m benchmarks.fastmcp_proxy UPSTREAM PORT`.

Runs in the environment `fastmcp`. One client that is connected already serves all callers (it mixes their sessions),
and answers are stateless JSON.
"""

import asyncio
import sys

from fastmcp import Client
from fastmcp.server import create_proxy


async def main(upstream: str, port: int) -> None:
    """Serve until ended."""
    async with Client(upstream) as client:
        await create_proxy(client, name="proxy").run_http_async(
            transport="http",
            host="127.0.0.1",
            port=port,
            path="/mcp",
            show_banner=False,
            log_level="warning",
            stateless_http=True,
            json_response=True,
        )


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))

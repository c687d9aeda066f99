"""Two small MCP servers and some data, so that a fresh installation has something to govern."""

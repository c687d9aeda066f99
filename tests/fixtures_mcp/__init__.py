"""MCP servers for tests, each in a process of its own: an honest one of both eras and one that misbehaves."""

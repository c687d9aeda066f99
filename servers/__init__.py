"""Registered MCP servers and how they are observed. Knows nothing of pins: comparing is the work of `tools`."""

"""Clients of others, each a program that meets the everything server and prints what it saw as one JSON object.

All are given `MCP_URL`, `MCP_TOKEN` (may be empty) and `MCP_ERA` (`handshake` or `modern`) and do the same things in the
same order, so that one table says what every one of them must have seen: `tests/conformance/test_clients.py`.
"""

"""The door for agents: MCP in both protocol eras, governed by a frozen snapshot. Runs outside Django's handler."""

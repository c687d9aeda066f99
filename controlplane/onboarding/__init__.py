"""Bringing a server under governance: from its URL to its first governed call, a page for each step."""

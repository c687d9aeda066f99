"""Who may call a tool right now: its page and its API."""

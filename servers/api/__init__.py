"""REST API of `servers`."""

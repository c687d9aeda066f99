"""Jumping to a server, a definition, a person or a page by a few words: the page, the palette's list and the API."""

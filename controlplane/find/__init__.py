"""Finding a thing by a part of its name, from anywhere: the command palette and its page."""

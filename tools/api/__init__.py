"""REST API of definitions, reviews and polling."""

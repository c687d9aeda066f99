"""What a page of the console does, as lines for a shell: the same by the API."""

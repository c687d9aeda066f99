"""The official suite and clients of others, against our own server directly and through the gateway."""

"""What proves the log to somebody who does not trust us: the standard library and `cryptography` alone."""

"""The append-only record of every call, denial, sign-in, change and review. Knows no other app."""

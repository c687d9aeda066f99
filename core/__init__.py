"""Shared kernel: actor, permissions, errors, names, queue, outbound client. No tables; imports no app."""

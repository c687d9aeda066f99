"""Toxic flows as people and programs see them: of one principal, of all, and of roles that complete one together."""

"""How records and checkpoints leave the database."""

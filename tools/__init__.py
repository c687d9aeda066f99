"""Definitions, their versions, pins and reviews; polling that compares; what a page shows of a change."""

"""Alerts: follows the audit log by its placement index, raises alerts, and sends them. Nobody calls it."""

"""Alerts and channels for programs."""

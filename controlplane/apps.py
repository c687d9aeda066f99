"""Application configuration of the project shell."""

from django.apps import AppConfig


class ControlplaneConfig(AppConfig):
    """Pages and commands that need every other app."""

    name = "controlplane"
    label = "controlplane"

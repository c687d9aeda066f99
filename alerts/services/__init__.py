"""Writes of the alerts: following the log, handling alerts, channels, delivery."""

from alerts.services.channels import (
    CreatedChannel,
    change_channel,
    create_channel,
    disable_channel,
    enable_channel,
    test_channel,
)
from alerts.services.delivery import deliver_due
from alerts.services.following import follow_records
from alerts.services.handling import acknowledge_alert, resolve_alert
from alerts.services.stamps import tell_policy

__all__ = [
    "CreatedChannel",
    "acknowledge_alert",
    "change_channel",
    "create_channel",
    "deliver_due",
    "disable_channel",
    "enable_channel",
    "follow_records",
    "resolve_alert",
    "tell_policy",
    "test_channel",
]

"""Alerts about the audit log itself."""

from typing import ClassVar

from django.db import migrations
from django.db.migrations.operations.base import Operation


class Migration(migrations.Migration):
    """Nothing yet."""

    dependencies = [("alerts", "0004_suspended")]
    operations: ClassVar[list[Operation]] = []

"""Chained records: processes, and the queue without gateways' records."""

from typing import ClassVar

from django.db import migrations
from django.db.migrations.operations.base import Operation


class Migration(migrations.Migration):
    """Nothing yet."""

    dependencies = [("audit", "0002_append_only")]
    operations: ClassVar[list[Operation]] = []

"""Checkpoints, their signers and where they were sent."""

from typing import ClassVar

from django.db import migrations
from django.db.migrations.operations.base import Operation


class Migration(migrations.Migration):
    """Nothing yet."""

    dependencies = [("audit", "0003_chained")]
    operations: ClassVar[list[Operation]] = []

"""What was verified, and until where."""

from typing import ClassVar

from django.db import migrations
from django.db.migrations.operations.base import Operation


class Migration(migrations.Migration):
    """Nothing yet."""

    dependencies = [("audit", "0004_checkpoints")]
    operations: ClassVar[list[Operation]] = []

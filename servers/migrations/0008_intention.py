"""Which calls must say what they are for."""

from typing import ClassVar

from django.db import migrations
from django.db.migrations.operations.base import Operation


class Migration(migrations.Migration):
    """Nothing yet."""

    dependencies = [("servers", "0007_limits")]
    operations: ClassVar[list[Operation]] = []

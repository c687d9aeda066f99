"""Where records are exported to, and how far."""

from typing import ClassVar

from django.db import migrations
from django.db.migrations.operations.base import Operation


class Migration(migrations.Migration):
    """Nothing yet."""

    dependencies = [("audit", "0008_search")]
    operations: ClassVar[list[Operation]] = []

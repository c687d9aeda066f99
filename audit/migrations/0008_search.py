"""Indexes of the search, and saved searches."""

from typing import ClassVar

from django.db import migrations
from django.db.migrations.operations.base import Operation


class Migration(migrations.Migration):
    """Nothing yet."""

    dependencies = [("audit", "0007_pruning")]
    operations: ClassVar[list[Operation]] = []

"""Erasing payloads and dropping shards, held in SQL."""

from typing import ClassVar

from django.db import migrations
from django.db.migrations.operations.base import Operation


class Migration(migrations.Migration):
    """Nothing yet."""

    dependencies = [("audit", "0006_payloads")]
    operations: ClassVar[list[Operation]] = []

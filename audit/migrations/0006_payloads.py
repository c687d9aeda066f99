"""Payloads of calls, apart from their records."""

from typing import ClassVar

from django.db import migrations
from django.db.migrations.operations.base import Operation


class Migration(migrations.Migration):
    """Nothing yet."""

    dependencies = [("audit", "0005_verifications")]
    operations: ClassVar[list[Operation]] = []

"""What is kept of arguments and results."""

from typing import ClassVar

from django.db import migrations
from django.db.migrations.operations.base import Operation


class Migration(migrations.Migration):
    """Nothing yet."""

    dependencies = [("servers", "0008_intention")]
    operations: ClassVar[list[Operation]] = []

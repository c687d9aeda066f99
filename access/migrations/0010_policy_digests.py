"""What policy is decided by, as digests before and after each change."""

from typing import ClassVar

from django.db import migrations
from django.db.migrations.operations.base import Operation


class Migration(migrations.Migration):
    """Nothing yet."""

    dependencies = [("access", "0009_sign_in")]
    operations: ClassVar[list[Operation]] = []

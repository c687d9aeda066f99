"""Views of the inbox are shared as searches of the log are."""

from typing import ClassVar

from django.db import migrations, models

LOCKS = "SET LOCAL lock_timeout = '1s';"
# A release that shares no views keeps them, as their people's own.
_NOT_SHARED = "UPDATE audit_savedsearch SET shared = false WHERE listed = 'reviews' AND shared;"


class Migration(migrations.Migration):
    """No lock is waited for longer than a second."""

    dependencies: ClassVar = [("audit", "0012_lists")]
    operations: ClassVar = [
        migrations.RunSQL(LOCKS, migrations.RunSQL.noop),
        migrations.RemoveConstraint(model_name="savedsearch", name="audit_savedsearch_list_known"),
        migrations.AddConstraint(
            model_name="savedsearch",
            constraint=models.CheckConstraint(
                condition=models.Q(("listed__in", ["log", "reviews"])), name="audit_savedsearch_list_known"
            ),
        ),
        migrations.RunSQL(migrations.RunSQL.noop, _NOT_SHARED),
        migrations.RunSQL(migrations.RunSQL.noop, LOCKS),
    ]

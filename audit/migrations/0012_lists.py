"""Searches that are kept name the list that they narrow: the log, as those of before do, or the reviews."""

from typing import ClassVar

from django.db import migrations, models

LOCKS = "SET LOCAL lock_timeout = '1s';"
# A release that knows of no other list would show these as searches of the log.
_OTHERS = "DELETE FROM audit_savedsearch WHERE listed <> 'log';"


class Migration(migrations.Migration):
    """No lock is waited for longer than a second."""

    dependencies: ClassVar = [("audit", "0011_said")]
    operations: ClassVar = [
        migrations.RunSQL(LOCKS, migrations.RunSQL.noop),
        migrations.AddField(
            model_name="savedsearch",
            name="listed",
            field=models.CharField(db_default="log", default="log", max_length=10),
        ),
        migrations.AddConstraint(
            model_name="savedsearch",
            constraint=models.UniqueConstraint(
                fields=("owner", "listed", "name"), name="audit_savedsearch_one_per_list_and_name"
            ),
        ),
        migrations.RemoveConstraint(model_name="savedsearch", name="audit_savedsearch_one_per_name"),
        migrations.AddConstraint(
            model_name="savedsearch",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("listed", "log"), models.Q(("listed", "reviews"), ("shared", False)), _connector="OR"
                ),
                name="audit_savedsearch_list_known",
            ),
        ),
        migrations.RunSQL(migrations.RunSQL.noop, _OTHERS),
        migrations.RunSQL(migrations.RunSQL.noop, LOCKS),
    ]

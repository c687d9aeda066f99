from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models

# Calls read this table: who changes it waits for a second, or comes again.
LOCKS = "SET LOCAL lock_timeout = '1s';"


class Migration(migrations.Migration):
    """Words to find servers by. The database knows the default: the previous release inserts without this column."""

    dependencies = [("servers", "0012_days_of_samples")]

    operations = [
        migrations.RunSQL(LOCKS, migrations.RunSQL.noop),
        migrations.AddField(
            model_name="server",
            name="tags",
            field=ArrayField(
                base_field=models.TextField(),
                blank=True,
                db_default=[],
                default=list,
                help_text="words to find it by; nothing decides by them",
                size=None,
            ),
        ),
        migrations.AddConstraint(
            model_name="server",
            constraint=models.CheckConstraint(
                condition=models.Func(
                    models.F("tags"),
                    output_field=models.BooleanField(),
                    template="cardinality(%(expressions)s) <= 20"
                    " AND string_to_array(array_to_string(%(expressions)s, ' '), ' ') = %(expressions)s"
                    " AND array_to_string(%(expressions)s, ' ') ~ '^([a-z0-9_:.-]{1,40}( |$))*$'",
                ),
                name="server_tags_well_formed",
            ),
        ),
        migrations.AddConstraint(
            model_name="server",
            constraint=models.CheckConstraint(
                condition=models.Func(
                    models.F("tags"),
                    output_field=models.BooleanField(),
                    template="tsvector_to_array(array_to_tsvector(%(expressions)s)) = %(expressions)s",
                ),
                name="server_tags_sorted",
            ),
        ),
        migrations.RunSQL(migrations.RunSQL.noop, LOCKS),
    ]

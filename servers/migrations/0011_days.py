import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

# Calls read the table of servers: who changes it waits for a second, or comes again.
LOCKS = "SET LOCAL lock_timeout = '1s';"


def _constraints(name: str) -> list[models.BaseConstraint]:
    return [
        models.UniqueConstraint(fields=("server", "day"), name=f"{name}_one_a_day"),
        models.CheckConstraint(
            condition=models.Func(
                models.F("took"),
                output_field=models.BooleanField(),
                template="cardinality(%(expressions)s) = 160 AND array_position(%(expressions)s, NULL) IS NULL"
                " AND 0 <= ALL (%(expressions)s)",
            ),
            name=f"{name}_counts_whole",
        ),
    ]


def _fields() -> list[tuple[str, models.Field]]:
    return [
        ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
        ("day", models.DateField()),
        (
            "took",
            django.contrib.postgres.fields.ArrayField(
                base_field=models.IntegerField(), help_text="how many took about so long", size=160
            ),
        ),
        (
            "server",
            models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="+", to="servers.server"),
        ),
    ]


class Migration(migrations.Migration):
    """Looks and calls of a day as counts (`core.histogram`). The previous release does not know these tables."""

    dependencies = [("servers", "0010_answers")]

    operations = [
        migrations.RunSQL(LOCKS, migrations.RunSQL.noop),
        migrations.CreateModel(
            name="CallDay", fields=_fields(), options={"abstract": False, "constraints": _constraints("callday")}
        ),
        migrations.CreateModel(
            name="HealthDay",
            fields=[*_fields(), ("failed", models.PositiveIntegerField())],
            options={"abstract": False, "constraints": _constraints("healthday")},
        ),
        migrations.RunSQL(migrations.RunSQL.noop, LOCKS),
    ]

"""What tools say that they do, kept beside their versions, so that those which may write are found at once."""

import json
from typing import Any, ClassVar

from django.db import migrations, models

LOCKS = "SET LOCAL lock_timeout = '1s';"
# A version never changes, which its trigger holds everybody to; what is filled in here is only what its text says.
UNGUARDED = "ALTER TABLE tools_definitionversion DISABLE TRIGGER tools_definitionversion_guard;"
GUARDED = "ALTER TABLE tools_definitionversion ENABLE TRIGGER tools_definitionversion_guard;"
_BATCH = 500


def fill(apps: Any, _editor: Any) -> None:
    """Those of before. A text that was let go says nothing, and what is unknown counts as the worst."""
    versions = apps.get_model("tools", "DefinitionVersion").objects
    tools = versions.filter(definition__kind="tool", effect="").exclude(text="").only("pk", "text").order_by("pk")
    changed: list[Any] = []
    for version in tools.iterator(chunk_size=_BATCH):
        version.effect = _effect(json.loads(version.text))
        changed.append(version)
        if len(changed) == _BATCH:
            versions.bulk_update(changed, ["effect"])
            changed = []
    versions.bulk_update(changed, ["effect"])


def _effect(body: Any) -> str:
    given = body.get("annotations")
    said = given if isinstance(given, dict) else {}
    if said.get("readOnlyHint") is True:
        return "reads"
    return "writes" if said.get("destructiveHint") is False else "destroys"


class Migration(migrations.Migration):
    """No lock is waited for longer than a second."""

    dependencies: ClassVar = [("tools", "0010_scanned_by")]
    operations: ClassVar = [
        migrations.RunSQL(LOCKS, migrations.RunSQL.noop),
        migrations.AddField(
            model_name="definitionversion",
            name="effect",
            field=models.CharField(
                blank=True, db_default="", default="", help_text="what a tool says that it does",
                max_length=10,
            ),
        ),
        migrations.AddConstraint(
            model_name="definitionversion",
            constraint=models.CheckConstraint(
                condition=models.Q(("effect__in", ["", "reads", "writes", "destroys"])), name="version_effect_known"
            ),
        ),
        migrations.RunSQL(UNGUARDED, migrations.RunSQL.noop),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.RunSQL(GUARDED, migrations.RunSQL.noop),
        migrations.RunSQL(migrations.RunSQL.noop, LOCKS),
    ]  # fmt: skip

"""Payloads of calls apart from their records, with what ends them.

The application may add rows and read them. It takes none away but through the two functions here, which the owner
holds: they ask for themselves whether a row's time has come, or whether two people agreed and it stands in the log.
"""

import uuid
from typing import ClassVar

from django.db import migrations, models
from django.db.migrations.operations.base import Operation
from django.db.models.functions import Now

HELD = """
CREATE TRIGGER audit_no_change BEFORE UPDATE ON audit_payload FOR EACH ROW EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit_payload FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE ON audit_removal
    FOR EACH ROW EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit_removal FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE ON audit_removal_confirmation
    FOR EACH ROW EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit_removal_confirmation
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();

CREATE FUNCTION audit_by_another() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.confirmed_by = '' OR EXISTS (
        SELECT FROM public.audit_removal AS removal
        WHERE removal.id = NEW.removal_id
            AND (removal.requested_by = NEW.confirmed_by OR removal.requested_at < now() - interval '7 days')
    ) THEN
        RAISE EXCEPTION 'a removal is confirmed by another person, within seven days'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER audit_by_another BEFORE INSERT ON audit_removal_confirmation
    FOR EACH ROW EXECUTE FUNCTION audit_by_another();

ALTER TABLE audit_payload ENABLE ALWAYS TRIGGER audit_no_change, ENABLE ALWAYS TRIGGER audit_no_truncate;
ALTER TABLE audit_removal ENABLE ALWAYS TRIGGER audit_no_change, ENABLE ALWAYS TRIGGER audit_no_truncate;
ALTER TABLE audit_removal_confirmation ENABLE ALWAYS TRIGGER audit_no_change,
    ENABLE ALWAYS TRIGGER audit_no_truncate, ENABLE ALWAYS TRIGGER audit_by_another;
"""

ENDED = """
CREATE FUNCTION audit_expire_payloads(batch integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE removed integer;
BEGIN
    DELETE FROM public.audit_payload AS payload USING (
        SELECT call_id, record_id FROM public.audit_payload
        WHERE expires_at < now() ORDER BY expires_at LIMIT least(batch, 10000)
    ) AS over
    WHERE payload.call_id = over.call_id AND payload.record_id = over.record_id;
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END $$;
REVOKE ALL ON FUNCTION audit_expire_payloads(integer) FROM PUBLIC;

-- The record that names the removal comes first: what is gone without a trace cannot be.
CREATE FUNCTION audit_erase_payload(removal uuid, record_shard integer, record uuid) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    call uuid;
    removed integer;
BEGIN
    SELECT asked.call_id INTO call
        FROM public.audit_removal AS asked
        JOIN public.audit_removal_confirmation AS agreed ON agreed.removal_id = asked.id
        WHERE asked.id = removal AND agreed.confirmed_by <> asked.requested_by;
    IF call IS NULL THEN
        RAISE EXCEPTION 'two people have not agreed to erase this payload' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NOT EXISTS (
        SELECT FROM public.audit_record AS said
        WHERE said.shard = record_shard AND said.id = record
            AND said.event = 'payload.erased' AND said.batch_id = removal AND said.call_id = call
    ) THEN
        RAISE EXCEPTION 'no record says that this payload is erased' USING ERRCODE = 'restrict_violation';
    END IF;
    DELETE FROM public.audit_payload AS payload WHERE payload.call_id = call;
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END $$;
REVOKE ALL ON FUNCTION audit_erase_payload(uuid, integer, uuid) FROM PUBLIC;
"""

BACKWARD = """
DROP FUNCTION audit_erase_payload(uuid, integer, uuid);
DROP FUNCTION audit_expire_payloads(integer);
DROP FUNCTION audit_by_another() CASCADE;
"""


class Migration(migrations.Migration):
    """Three tables, and the functions that take payloads away."""

    dependencies = [("audit", "0005_verifications")]
    operations: ClassVar[list[Operation]] = [
        migrations.CreateModel(
            name="StoredPayload",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "call_id", "record_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("call_id", models.UUIDField()),
                ("record_id", models.UUIDField()),
                ("part", models.TextField()),
                ("shard", models.IntegerField()),
                ("expires_at", models.DateTimeField()),
                ("key_id", models.BinaryField()),
                ("secret", models.BinaryField()),
                ("sealed", models.BinaryField()),
                ("size", models.BigIntegerField()),
            ],
            options={
                "db_table": "audit_payload",
                "indexes": [models.Index(fields=["expires_at"], name="audit_payload_expires")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(part__in=("arguments", "result")), name="audit_payload_part_known"
                    ),
                    models.CheckConstraint(condition=models.Q(size__gte=0), name="audit_payload_size_positive"),
                    models.CheckConstraint(
                        condition=models.Q(part="arguments") & ~models.Q(secret=b"")
                        | models.Q(part="result", secret=b""),
                        name="audit_payload_secret_with_arguments",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Removal",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, primary_key=True, serialize=False)),
                ("call_id", models.UUIDField(null=True)),
                ("shard", models.IntegerField(null=True)),
                ("reason", models.TextField()),
                ("requested_by", models.TextField()),
                ("requested_at", models.DateTimeField(db_default=Now())),
            ],
            options={
                "db_table": "audit_removal",
                "indexes": [models.Index(fields=["call_id"], name="audit_removal_call")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(call_id__isnull=False, shard__isnull=True)
                        | models.Q(call_id__isnull=True, shard__isnull=False),
                        name="audit_removal_of_one_thing",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="RemovalConfirmation",
            fields=[
                (
                    "removal",
                    models.OneToOneField(
                        on_delete=models.PROTECT,
                        primary_key=True,
                        related_name="confirmation",
                        serialize=False,
                        to="audit.removal",
                    ),
                ),
                ("confirmed_by", models.TextField()),
                ("confirmed_at", models.DateTimeField(db_default=Now())),
            ],
            options={"db_table": "audit_removal_confirmation"},
        ),
        migrations.RunSQL([(HELD, None), (ENDED, None)], BACKWARD),
    ]

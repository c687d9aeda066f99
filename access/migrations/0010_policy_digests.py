"""What policy is decided by, as digests before and after each change; and what triggers note of a change (`0011`).

A trigger notes each row that counts (`access.counted`) with its hash before the change, in a setting that ends with the
transaction: so nobody else can write there, and whoever keeps the digests knows the state before.
"""

from django.db import migrations, models

KEEP = """
CREATE FUNCTION access_policydigest_guard() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
    RAISE EXCEPTION 'digests of policy are kept, never changed' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER access_policydigest_guard BEFORE UPDATE OR DELETE ON access_policydigest
    FOR EACH ROW EXECUTE FUNCTION access_policydigest_guard();
CREATE TRIGGER access_policydigest_stays BEFORE TRUNCATE ON access_policydigest
    FOR EACH STATEMENT EXECUTE FUNCTION access_policydigest_guard();
ALTER TABLE access_policydigest ENABLE ALWAYS TRIGGER access_policydigest_guard;
ALTER TABLE access_policydigest ENABLE ALWAYS TRIGGER access_policydigest_stays;
"""
UNDO_KEEP = """
DROP TRIGGER access_policydigest_guard ON access_policydigest;
DROP TRIGGER access_policydigest_stays ON access_policydigest;
DROP FUNCTION access_policydigest_guard();
"""
NOTE = """
CREATE FUNCTION access_policy_touch() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
DECLARE
    -- Where it stands (part, id, bucket), and its hash if it counts.
    told text := format(
        'SELECT %s, t.id || '' '' || t.%s / 256, CASE WHEN %s THEN '
        'encode(sha256(convert_to(jsonb_build_array(%s)::text, ''UTF8'')), ''hex'') END FROM (SELECT ($1).*) t',
        TG_ARGV[0], TG_ARGV[3], TG_ARGV[2], TG_ARGV[1]);
    part text;
    touched text;
    before text;
    after text;
    place text;
BEGIN
    IF TG_OP <> 'INSERT' THEN
        EXECUTE told INTO part, touched, before USING OLD;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        EXECUTE told INTO part, touched, after USING NEW;
    END IF;
    IF part IS NULL OR before IS NOT DISTINCT FROM after THEN
        RETURN NULL;
    END IF;
    place := 'holdfast.policy_' || translate(part, ':-', '__');
    PERFORM set_config(
        place,
        coalesce(current_setting(place, true), '')
            || TG_TABLE_NAME || ' ' || touched || ' ' || coalesce(before, '-') || chr(10),
        true);
    RETURN NULL;
END $$;
"""
UNDO_NOTE = "DROP FUNCTION access_policy_touch();"


class Migration(migrations.Migration):
    """The table, the triggers that keep it, and the function that notes: nothing that anybody holds yet."""

    dependencies = [("access", "0009_sign_in")]

    operations = [
        migrations.CreateModel(
            name="PolicyDigest",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("part", models.CharField(max_length=64)),
                ("n", models.BigIntegerField()),
                ("format", models.PositiveSmallIntegerField()),
                ("before", models.JSONField()),
                ("after", models.JSONField()),
                ("digest", models.CharField(max_length=64)),
                ("mac", models.CharField(max_length=80)),
                ("made_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "ordering": ("id",),
                "indexes": [models.Index(fields=["part", "-id"], name="policy_digest_last")],
            },
        ),
        migrations.RunSQL(KEEP, UNDO_KEEP),
        migrations.RunSQL(NOTE, UNDO_NOTE),
    ]

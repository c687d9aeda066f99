"""Sessions of the console in a table of ours, and two rules that only the database can hold against everybody.

Seeds of second factors are stored sealed, whoever writes them. A session that a password alone began is none for a
person who has a second factor.
"""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

GUARD = """
ALTER TABLE mfa_authenticator ADD CONSTRAINT second_factor_not_in_plain CHECK (CASE type
    WHEN 'totp' THEN coalesce(data->>'secret' LIKE 'sealed:%', false)
    WHEN 'recovery_codes' THEN coalesce(data->>'seed' LIKE 'sealed:%', false)
    ELSE true END);
CREATE FUNCTION access_second_factor_first() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
    IF NEW.person_id IS NOT NULL AND NEW.second_factor = '' AND EXISTS (
        SELECT FROM mfa_authenticator WHERE user_id = NEW.person_id AND type IN ('totp', 'webauthn')
    ) THEN
        RAISE EXCEPTION 'A password alone begins no session of somebody who has a second factor.'
            USING ERRCODE = '23514', CONSTRAINT = 'second_factor_first';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER access_second_factor_first BEFORE INSERT OR UPDATE ON access_consolesession
    FOR EACH ROW EXECUTE FUNCTION access_second_factor_first();
ALTER TABLE access_consolesession ENABLE ALWAYS TRIGGER access_second_factor_first;
"""
UNDO = """
DROP TRIGGER access_second_factor_first ON access_consolesession;
DROP FUNCTION access_second_factor_first();
ALTER TABLE mfa_authenticator DROP CONSTRAINT second_factor_not_in_plain;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0008_use"),
        ("mfa", "0003_authenticator_type_uniq"),
    ]

    operations = [
        migrations.CreateModel(
            name="ConsoleSession",
            fields=[
                ("session_key", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("session_data", models.TextField()),
                ("expire_date", models.DateTimeField(db_index=True)),
                ("public_id", models.UUIDField(unique=True)),
                ("began_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("last_seen_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("browser", models.CharField(blank=True, default="", max_length=200)),
                ("address", models.CharField(blank=True, default="", max_length=45)),
                ("second_factor", models.CharField(blank=True, default="", max_length=20)),
                (
                    "person",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="console_sessions",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("session_key__regex", "^[0-9a-f]{64}$")),
                        name="console_session_key_is_sha256",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("second_factor__in", ["", "totp", "passkey", "recovery_code"])),
                        name="console_session_second_factor_known",
                    ),
                ],
            },
        ),
        migrations.RunSQL(GUARD, UNDO),
    ]

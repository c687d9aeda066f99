import django.db.models.functions.text
import django.db.models.lookups
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0005_code_flow"),
    ]

    operations = [
        migrations.CreateModel(
            name="FailedDocument",
            fields=[
                ("url", models.CharField(max_length=255, primary_key=True, serialize=False)),
                ("final", models.BooleanField(default=False)),
                ("failed_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="RequestCount",
            fields=[
                ("key", models.CharField(max_length=100, primary_key=True, serialize=False)),
                ("count", models.PositiveIntegerField(default=0)),
                ("window_started_at", models.DateTimeField()),
            ],
        ),
        migrations.AddField(
            model_name="agent",
            name="document_digest",
            field=models.CharField(blank=True, db_default="", default="", max_length=64),
        ),
        migrations.AddConstraint(
            model_name="agent",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("client_type", "confidential"),
                    models.Q(("authorization_grant_type", "authorization-code"), ("client_type", "public")),
                    _connector="OR",
                ),
                name="agent_public_acts_for_people",
            ),
        ),
        migrations.AddConstraint(
            model_name="agent",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("document_digest", ""), models.Q(("registration_source", "cimd"), _negated=True)),
                    models.Q(
                        ("cimd_expires_at__isnull", False),
                        ("client_id__startswith", "https://"),
                        ("client_type", "public"),
                        ("document_digest__regex", "^[0-9a-f]{64}$"),
                        ("registration_source", "cimd"),
                    ),
                    _connector="OR",
                ),
                name="agent_document_complete",
            ),
        ),
        migrations.AddConstraint(
            model_name="agent",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    django.db.models.lookups.LessThanOrEqual(
                        django.db.models.functions.text.Length("redirect_uris"), 20490
                    ),
                    (
                        "redirect_uris__regex",
                        "^((https://([a-z0-9.-]+|\\[[0-9a-f:.]+\\])|http://(localhost|127\\.0\\.0\\.1|\\[::1\\]))(:[1-9][0-9]{0,4})?(/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?(\\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?( (https://([a-z0-9.-]+|\\[[0-9a-f:.]+\\])|http://(localhost|127\\.0\\.0\\.1|\\[::1\\]))(:[1-9][0-9]{0,4})?(/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?(\\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?)*)?$",
                    ),
                ),
                name="agent_redirect_uris_allowed",
            ),
        ),
    ]

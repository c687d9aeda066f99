"""Tables and columns of the authorization code flow.

New columns may be left out of an insert, because the release before knows nothing of them.
"""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
import django.db.models.lookups
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import core.ids


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0004_kept_apart"),
    ]

    operations = [
        migrations.CreateModel(
            name="Consent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=core.ids.new_id, editable=False, unique=True)),
                ("redirect_uri", models.TextField()),
                ("resource", models.TextField()),
                ("scopes", django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), size=None)),
                ("key", models.CharField(max_length=64)),
                ("client_digest", models.CharField(max_length=64)),
                ("given_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField()),
                ("revoked_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "ordering": ("-id",),
            },
        ),
        migrations.CreateModel(
            name="ConsumedCode",
            fields=[
                ("code", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("family", models.UUIDField()),
                ("consumed_at", models.DateTimeField(db_index=True)),
            ],
        ),
        migrations.AddField(
            model_name="protectedresource",
            name="introspector",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.OAUTH2_PROVIDER_APPLICATION_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="refreshtoken",
            name="family_began_at",
            field=models.DateTimeField(
                db_default=django.db.models.functions.datetime.Now(), default=django.utils.timezone.now
            ),
        ),
        migrations.AddField(
            model_name="refreshtoken",
            name="scope",
            field=models.TextField(blank=True, db_default="", default=""),
        ),
        migrations.AddField(
            model_name="refreshtoken",
            name="successor",
            field=models.BinaryField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="refreshtoken",
            name="superseded_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddConstraint(
            model_name="authorizationcode",
            constraint=models.CheckConstraint(
                condition=models.Q(("code_challenge__regex", "^[A-Za-z0-9_-]{43}$"), ("code_challenge_method", "S256")),
                name="code_bound_to_a_verifier",
            ),
        ),
        migrations.AddConstraint(
            model_name="authorizationcode",
            constraint=models.CheckConstraint(
                condition=django.db.models.lookups.Exact(
                    models.Func(
                        models.F("resource"), function="jsonb_array_length", output_field=models.IntegerField()
                    ),
                    1,
                ),
                name="code_for_one_resource",
            ),
        ),
        migrations.AddConstraint(
            model_name="refreshtoken",
            constraint=models.UniqueConstraint(
                condition=models.Q(("revoked__isnull", True)), fields=("token_family",), name="refresh_token_one_live"
            ),
        ),
        migrations.AddConstraint(
            model_name="refreshtoken",
            constraint=models.CheckConstraint(
                condition=models.Q(("superseded_at__isnull", True), ("revoked__isnull", False), _connector="OR"),
                name="refresh_token_superseded_is_revoked",
            ),
        ),
        migrations.AddConstraint(
            model_name="refreshtoken",
            constraint=models.CheckConstraint(
                condition=models.Q(("successor__isnull", True), ("superseded_at__isnull", False), _connector="OR"),
                name="refresh_token_successor_of_superseded",
            ),
        ),
        migrations.AddField(
            model_name="consent",
            name="agent",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="consents",
                to=settings.OAUTH2_PROVIDER_APPLICATION_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="consent",
            name="person",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="consents", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddConstraint(
            model_name="consumedcode",
            constraint=models.CheckConstraint(
                condition=models.Q(("code__regex", "^[0-9a-f]{64}$")), name="consumed_code_not_in_plain"
            ),
        ),
        migrations.AddConstraint(
            model_name="consent",
            constraint=models.UniqueConstraint(
                condition=models.Q(("revoked_at__isnull", True)),
                fields=("person", "agent", "key"),
                name="consent_one_live",
            ),
        ),
        migrations.AddConstraint(
            model_name="consent",
            constraint=models.CheckConstraint(condition=models.Q(("scopes__len__gt", 0)), name="consent_names_scopes"),
        ),
        migrations.AddConstraint(
            model_name="consent",
            constraint=models.CheckConstraint(
                condition=models.Q(("ends_at__gt", models.F("given_at"))), name="consent_ends_later"
            ),
        ),
        migrations.AddConstraint(
            model_name="consent",
            constraint=models.CheckConstraint(
                condition=models.Q(("client_digest__regex", "^[0-9a-f]{64}$"), ("key__regex", "^[0-9a-f]{64}$")),
                name="consent_digests_are_sha256",
            ),
        ),
    ]

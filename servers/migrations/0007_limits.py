from django.db import migrations, models


class Migration(migrations.Migration):
    """Limits per server. The database knows the defaults: the previous release inserts without these columns."""

    dependencies = [("servers", "0006_environment_changed_at")]

    operations = [
        migrations.AddField(
            model_name="server",
            name="answer_bytes",
            field=models.PositiveIntegerField(
                db_default=16777216, default=16777216, help_text="Bytes of one answer, or of one message of a stream."
            ),
        ),
        migrations.AddField(
            model_name="server",
            name="concurrent_calls",
            field=models.PositiveIntegerField(
                db_default=64, default=64, help_text="Calls under way at once, in each gateway process."
            ),
        ),
        migrations.AddField(
            model_name="server",
            name="concurrent_streams",
            field=models.PositiveIntegerField(
                db_default=64, default=64, help_text="Streams open at once, in each gateway process."
            ),
        ),
        migrations.AddField(
            model_name="server",
            name="connect_seconds",
            field=models.PositiveIntegerField(
                db_default=5, default=5, help_text="Seconds until a connection must stand."
            ),
        ),
        migrations.AddField(
            model_name="server",
            name="first_byte_seconds",
            field=models.PositiveIntegerField(
                db_default=60, default=60, help_text="Seconds from sending a call until its answer must begin."
            ),
        ),
        migrations.AddField(
            model_name="server",
            name="idle_seconds",
            field=models.PositiveIntegerField(
                db_default=60, default=60, help_text="Seconds of silence within an answer that has begun."
            ),
        ),
        migrations.AddField(
            model_name="server",
            name="stream_seconds",
            field=models.PositiveIntegerField(
                db_default=3600, default=3600, help_text="Seconds that a stream of server messages may live."
            ),
        ),
        migrations.AddField(
            model_name="server",
            name="total_seconds",
            field=models.PositiveIntegerField(
                db_default=300, default=300, help_text="Seconds that a whole call may take."
            ),
        ),
        migrations.AddConstraint(
            model_name="server",
            constraint=models.CheckConstraint(
                condition=models.Q(("connect_seconds__range", (1, 60))), name="server_connect_seconds_bounded"
            ),
        ),
        migrations.AddConstraint(
            model_name="server",
            constraint=models.CheckConstraint(
                condition=models.Q(("first_byte_seconds__range", (1, 3600))), name="server_first_byte_seconds_bounded"
            ),
        ),
        migrations.AddConstraint(
            model_name="server",
            constraint=models.CheckConstraint(
                condition=models.Q(("idle_seconds__range", (1, 3600))), name="server_idle_seconds_bounded"
            ),
        ),
        migrations.AddConstraint(
            model_name="server",
            constraint=models.CheckConstraint(
                condition=models.Q(("total_seconds__range", (1, 3600))), name="server_total_seconds_bounded"
            ),
        ),
        migrations.AddConstraint(
            model_name="server",
            constraint=models.CheckConstraint(
                condition=models.Q(("stream_seconds__range", (10, 86400))), name="server_stream_seconds_bounded"
            ),
        ),
        migrations.AddConstraint(
            model_name="server",
            constraint=models.CheckConstraint(
                condition=models.Q(("answer_bytes__range", (4096, 67108864))), name="server_answer_bytes_bounded"
            ),
        ),
        migrations.AddConstraint(
            model_name="server",
            constraint=models.CheckConstraint(
                condition=models.Q(("concurrent_calls__range", (1, 500))), name="server_concurrent_calls_bounded"
            ),
        ),
        migrations.AddConstraint(
            model_name="server",
            constraint=models.CheckConstraint(
                condition=models.Q(("concurrent_streams__range", (1, 500))), name="server_concurrent_streams_bounded"
            ),
        ),
        migrations.AddConstraint(
            model_name="server",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("connect_seconds__lte", models.F("total_seconds")),
                    ("first_byte_seconds__lte", models.F("total_seconds")),
                    ("idle_seconds__lte", models.F("total_seconds")),
                ),
                name="server_waits_within_total",
            ),
        ),
    ]

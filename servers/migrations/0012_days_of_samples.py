from django.db import migrations

# The place of a duration is that of `core.histogram`: below 16 its own, above an eighth of its octave.
COUNT = """
WITH measured AS (
    SELECT server_id, (time AT TIME ZONE 'UTC')::date AS day, ok, LEAST(latency_ms, 4194303) AS ms
    FROM servers_healthsample
), octaves AS (
    SELECT *, length(ltrim(ms::bit(32)::text, '0')) - 1 AS octave FROM measured
), placed AS (
    SELECT server_id, day, ok,
        CASE WHEN ms < 16 THEN ms ELSE 16 + (octave - 4) * 8 + (ms >> (octave - 3)) - 8 END AS place
    FROM octaves
), counted AS (
    SELECT server_id, day, place, count(*) FILTER (WHERE ok) AS complete, count(*) FILTER (WHERE NOT ok) AS failed
    FROM placed GROUP BY server_id, day, place
), days AS (
    SELECT server_id, day, sum(failed) AS failed, array_agg(place) AS places, array_agg(complete) AS complete
    FROM counted GROUP BY server_id, day
)
INSERT INTO servers_healthday (server_id, day, took, failed)
SELECT server_id, day,
    (SELECT array_agg(COALESCE(known.complete, 0)::int ORDER BY every.place)
     FROM generate_series(0, 159) AS every (place)
     LEFT JOIN unnest(days.places, days.complete) AS known (place, complete) ON known.place = every.place),
    failed
FROM days
ON CONFLICT (server_id, day) DO NOTHING
"""


class Migration(migrations.Migration):
    """Looks from before are counted by their samples. Calls are counted from now on."""

    dependencies = [("servers", "0011_days")]

    operations = [migrations.RunSQL(COUNT, migrations.RunSQL.noop)]

#!/bin/sh
# Runs once, when the database container starts with an empty volume: two roles, one database, no shared rights.
# The owner migrates and owns every table; the application logs in as a role that owns nothing. No query is compiled
# for it: lists ask much in few rows, and compiling took twice as long as answering (docs/performance.md).
set -eu
psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
    -v owner_password="$(cat /run/secrets/postgres_owner_password)" \
    -v application_password="$(cat /run/secrets/postgres_application_password)" <<'SQL'
CREATE ROLE holdfast_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE holdfast_app LOGIN PASSWORD :'application_password';
ALTER ROLE holdfast_app SET jit = off;
CREATE DATABASE holdfast OWNER holdfast_owner;
\connect holdfast
ALTER SCHEMA public OWNER TO holdfast_owner;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
SQL

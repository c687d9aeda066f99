#!/bin/sh
# Makes the secret files that docker-compose.yml mounts, once; existing ones are kept.
set -eu
umask 077
cd "$(dirname -- "$0")"
mkdir -p secrets
random() { # bytes
    head -c "$1" /dev/urandom | base64 | tr -d '\n'
}
make() { # name, content
    [ -e "secrets/$1" ] || printf '%s' "$2" > "secrets/$1"
}
password() { # a password that needs no quoting in a URL
    random 24 | tr '+/' '-_' | tr -d '='
}
owner=$(password)
application=$(password)
make postgres_superuser_password "$(password)"
if [ ! -e secrets/database_url ]; then
    make postgres_owner_password "$owner"
    make postgres_application_password "$application"
    make database_admin_url "postgresql://holdfast_owner:$owner@postgres/holdfast"
    make database_url "postgresql://holdfast_app:$application@postgres/holdfast"
fi
make secret_key "$(random 64)"
make secrets_key "$(random 32)"
make token_key "$(random 32)"
make audit_signing_key "$(random 32)"
make admin_password "$(password)"
# The containers run as user 10001 and read through a bind mount, so the files are readable inside a private folder.
chmod 700 secrets
chmod 444 secrets/*
echo "The first administrator is 'admin'; the password is in $(pwd)/secrets/admin_password"

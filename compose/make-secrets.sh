#!/bin/sh
# Makes the secrets that compose hands to containers, once; those that exist are left alone.
# The files can be read by all, since containers run as users of their own; the folder that holds them cannot be entered.
set -eu
cd "$(dirname "$0")/secrets"
chmod 700 .
make_secret() {
    [ -s "$1" ] || python3 -c 'import secrets, sys; sys.stdout.write(secrets.token_hex(24))' > "$1"
    chmod 444 "$1"
}
make_secret postgres_password
make_secret grafana_password
make_secret api_token
[ -s postgres_url ] || printf 'postgresql://flux:%s@postgres/flux' "$(cat postgres_password)" > postgres_url
chmod 444 postgres_url
echo "compose/secrets is complete"

#!/bin/sh
# Make the secrets of docker-compose.yml in a folder, those that aren't there yet:
#
#     sh deploy/compose/make_secrets.sh secrets
#
# Run again, it leaves what there is as it is. The certificate is self-signed, to be replaced by
# yours (certificate and key in one file). docs/operations.md says how each secret is changed.
set -eu
folder=${1:?the folder, such as: secrets}
mkdir -p "$folder"
# Only its owner gets into the folder. The files in it are mounted one by one into containers whose
# users have other numbers and must be able to read them.
chmod 700 "$folder"
cd "$folder"

keep() {
    # keep NAME: standard input becomes that secret, whole or not at all, unless there is one.
    [ ! -s "$1" ] || { cat >/dev/null; return 0; }
    (umask 022; cat >"$1.new")
    mv "$1.new" "$1"
}

for login in postgres web worker migrator; do
    openssl rand -hex 24 | keep "${login}_password"
done
printf 'postgresql://claimdrift_web:%s@pgbouncer:6432/claimdrift\n' "$(cat web_password)" |
    keep web_url
for login in worker migrator; do
    printf 'postgresql://claimdrift_%s:%s@postgres:5432/claimdrift\n' \
        "$login" "$(cat "${login}_password")" | keep "${login}_url"
done
printf '"claimdrift_web" "%s"\n' "$(cat web_password)" | keep pgbouncer_userlist
openssl rand -hex 32 | keep secret_key
openssl rand -base64 32 | keep webhook_keys
openssl rand -hex 24 | keep metrics_token
if [ ! -s tls.pem ]; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 90 \
        -subj "/CN=${CLAIMDRIFT_HOST:-localhost}" \
        -addext "subjectAltName=DNS:${CLAIMDRIFT_HOST:-localhost}" \
        -keyout key.new -out certificate.new 2>/dev/null
    cat certificate.new key.new | keep tls.pem
    rm certificate.new key.new
fi

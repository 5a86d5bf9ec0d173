-- docker-compose.yml: run once by the image of PostgreSQL, after sql/roles.sql, on empty data.
-- What the embedded server does in core/embedded.py, with passwords from the secrets.
\set web `cat "${SECRETS:-/run/secrets}/web_password"`
\set worker `cat "${SECRETS:-/run/secrets}/worker_password"`
\set migrator `cat "${SECRETS:-/run/secrets}/migrator_password"`
-- Keeps the passwords out of pg_stat_statements.
SET pg_stat_statements.track_utility = off;
ALTER ROLE claimdrift_web PASSWORD :'web';
ALTER ROLE claimdrift_worker PASSWORD :'worker';
ALTER ROLE claimdrift_migrator PASSWORD :'migrator';
CREATE DATABASE claimdrift OWNER claimdrift_owner TEMPLATE template0 ENCODING 'UTF8'
    LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C';

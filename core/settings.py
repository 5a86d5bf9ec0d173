"""All settings, driven by the environment; docs/settings.md describes each variable."""

import sys
from pathlib import Path

from core.driver import pin_psycopg2
from core.embedded import EmbeddedServer, login_for
from core.environment import Environment, database_from_url

pin_psycopg2()

BASE_DIR = Path(__file__).resolve().parent.parent
SQL_DIR = BASE_DIR / "sql"

env = Environment()

DEBUG = env.boolean("DEBUG", default=False)
SECRET_KEY = env.secret("SECRET_KEY", minimum_length=32)
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", default="127.0.0.1 localhost [::1]")

# Unset means the embedded server: started when needed, each command with the login it should have.
DATABASE_URL = env.text("DATABASE_URL", default="")
EMBEDDED_SERVER = None if DATABASE_URL else EmbeddedServer.for_clone(BASE_DIR)
DATABASES = {
    "default": database_from_url(
        EMBEDDED_SERVER.url(login_for(sys.argv)) if EMBEDDED_SERVER else DATABASE_URL
    )
    | {
        "ENGINE": "core.postgresql",
        "CONN_MAX_AGE": env.integer("CONN_MAX_AGE", default=60, minimum=0),
        "CONN_HEALTH_CHECKS": True,
        # Named cursors don't survive PgBouncer in transaction mode.
        "DISABLE_SERVER_SIDE_CURSORS": True,
    }
}

INSTALLED_APPS = [
    "core",  # first: its makemigrations and migrate know about triggers and stored logic
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.postgres",
    "procrastinate.contrib.django",
    "pgtrigger",
]
AUTH_USER_MODEL = "core.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
MIDDLEWARE: list[str] = []
USE_TZ = True
TIME_ZONE = "UTC"

# core.triggers renders its own template, which no session setting can switch off.
PGTRIGGER_INSTALL_ON_MIGRATE = False

PROCRASTINATE_AUTODISCOVER_MODULE_NAME = "tasks"
PROCRASTINATE_WORKER_DEFAULTS = {
    "fetch_job_polling_interval": 1.0,
    "shutdown_graceful_timeout": 30.0,
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {
        "handlers": ["stderr"],
        "level": env.choice(
            "LOG_LEVEL",
            default="WARNING",
            choices=["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"],
        ),
    },
}

env.refuse_unknown()

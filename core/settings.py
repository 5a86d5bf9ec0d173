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
    "django.contrib.staticfiles",
    "procrastinate.contrib.django",
    "pgtrigger",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "api",
]
AUTH_USER_MODEL = "core.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ROOT_URLCONF = "api.urls"
APPEND_SLASH = False
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
STATIC_URL = "static/"
MAX_BODY_BYTES = env.integer("MAX_BODY_BYTES", default=1_000_000, minimum=1000)
MAX_UPLOAD_BYTES = env.integer("MAX_UPLOAD_BYTES", default=1_000_000_000, minimum=1000)
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["api.access.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["api.access.RolePermission"],
    "DEFAULT_PARSER_CLASSES": ["api.parsers.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "api.schema.ApiSchema",
    "DEFAULT_METADATA_CLASS": None,
    "EXCEPTION_HANDLER": "api.errors.handle_exception",
    "URL_FORMAT_OVERRIDE": None,
    "UNAUTHENTICATED_USER": None,
    "NUM_PROXIES": 0,
    "COERCE_DECIMAL_TO_STRING": True,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "claimdrift",
    "VERSION": "1.0.0",
    "OAS_VERSION": "3.1.0",
    "CONTACT": {"name": "claimdrift", "url": "https://claimdrift.dev"},
    "LICENSE": {"name": "Proprietary", "url": "https://claimdrift.dev/licence"},
    "SERVERS": [{"url": "/", "description": "This installation"}],
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "COMPONENT_NO_READ_ONLY_REQUIRED": False,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "SORT_OPERATION_PARAMETERS": True,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "ENUM_NAME_OVERRIDES": {
        "MetricEnum": "core.models.drift.Metric",
        "DriftDirectionEnum": "core.models.drift.Direction",
        "RuleDirectionEnum": "core.models.AlertRule.Direction",
        "LevelEnum": "core.models.alerts.Level",
        "AlertStatusEnum": "core.models.Alert.Status",
        "UploadStatusEnum": "core.models.Upload.Status",
        "RunStatusEnum": "core.models.DriftRun.Status",
        "CustomerStatusEnum": "core.models.Customer.Status",
        "OutcomeEnum": "core.models.Claim.Outcome",
        "ScopeEnum": "core.models.ApiToken.Scope",
        "RoleEnum": "core.models.Membership.Role",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "api.schema.add_examples",
    ],
}
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

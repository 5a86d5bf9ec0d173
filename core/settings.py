"""All settings, driven by the environment; docs/settings.md describes each variable."""

import sys
from pathlib import Path

from core.driver import pin_psycopg2
from core.embedded import EmbeddedServer, login_for
from core.environment import Environment, database_from_url
from core.logs import configuration

pin_psycopg2()

BASE_DIR = Path(__file__).resolve().parent.parent
SQL_DIR = BASE_DIR / "sql"

env = Environment()

DEBUG = env.boolean("DEBUG", default=False)
SECRET_KEY = env.secret("SECRET_KEY", minimum_length=50)
# Former keys: what they have signed is still believed.
SECRET_KEY_FALLBACKS = env.text("SECRET_KEY_FALLBACKS", default="").split()
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", default="127.0.0.1 localhost [::1]")

# Read by `manage.py serve`, which starts a worker of its own.
WEB_PROCESSES = env.integer("WEB_PROCESSES", default=2, minimum=1)
WEB_THREADS = env.integer("WEB_THREADS", default=4, minimum=1)
WORKER_DATABASE_URL = env.text("WORKER_DATABASE_URL", default="")

# Unset means the embedded server: started when needed, each command with the login it should have.
DATABASE_URL = env.text("DATABASE_URL", default="")
# Read again when it is refused: its password may have been changed.
DATABASE_URL_FILE = env.file("DATABASE_URL")
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
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "procrastinate.contrib.django",
    "pgtrigger",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "api",
    "api.apps.AdminConfig",  # last: it looks for what the others show in it
]
MIDDLEWARE = [
    "api.middleware.RequestMiddleware",  # outermost: it sees every answer
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.common.CommonMiddleware",  # refuses hosts that aren't ours
    "api.middleware.PathMiddleware",
    "api.middleware.BodyMiddleware",
    # What follows is for the admin; the API keeps no session and reads no cookie.
    "django.contrib.sessions.middleware.SessionMiddleware",
    "api.middleware.AdminMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
ROOT_URLCONF = "api.urls"
WSGI_APPLICATION = "core.wsgi.application"
APPEND_SLASH = False

AUTH_USER_MODEL = "core.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# How many proxies of ours a request passes: so many entries of X-Forwarded-For are believed,
# counted from the right, and X-Forwarded-Proto at all.
PROXIES = env.integer("PROXIES", default=0, minimum=0)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if PROXIES else None
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
    "NUM_PROXIES": PROXIES,
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
        "EventTypeEnum": "core.models.webhooks.EventType",
        "EndpointStatusEnum": "core.models.WebhookEndpoint.Status",
        "DeliveryStatusEnum": "core.models.WebhookDelivery.Status",
        "OutcomeEnum": "core.models.Claim.Outcome",
        "ScopeEnum": "core.models.ApiToken.Scope",
        "RoleEnum": "core.models.Membership.Role",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "api.schema.add_examples",
    ],
}

HTTPS = env.boolean("HTTPS", default=False)
SECURE_SSL_REDIRECT = HTTPS
# Load balancers and Prometheus ask from within.
SECURE_REDIRECT_EXEMPT = [r"^health/", r"^metrics$"]
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

# Sessions are for the admin alone. As signed cookies they need no table that somebody who isn't
# signed in yet must be able to read.
SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
SESSION_COOKIE_PATH = CSRF_COOKIE_PATH = "/admin/"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Strict"
CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_AGE = 8 * 3600
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

MAX_BODY_BYTES = env.integer("MAX_BODY_BYTES", default=1_000_000, minimum=1000)
MAX_UPLOAD_BYTES = env.integer("MAX_UPLOAD_BYTES", default=1_000_000_000, minimum=1000)
DATA_UPLOAD_MAX_MEMORY_SIZE = MAX_BODY_BYTES
DATA_UPLOAD_MAX_NUMBER_FIELDS = 1000

METRICS_TOKEN = env.text("METRICS_TOKEN", default="")

# Served by the application itself, from where the packages have them: nothing to collect.
STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
WHITENOISE_MAX_AGE = 3600
WHITENOISE_ALLOW_ALL_ORIGINS = False

USE_TZ = True
TIME_ZONE = "UTC"

# core.triggers renders its own template, which no session setting can switch off.
PGTRIGGER_INSTALL_ON_MIGRATE = False

# How long, in milliseconds, `migrate` waits for a lock at a time. Less than PostgreSQL's
# deadlock_timeout (1 s): where a writer and it wait for each other, it is the one that fails.
MIGRATE_LOCK_TIMEOUT = env.integer("MIGRATE_LOCK_TIMEOUT", default=900, minimum=1)

# Keys for the secrets of webhook endpoints: the first encrypts, all decrypt.
WEBHOOK_KEYS = env.keys("WEBHOOK_KEYS", length=32)
WEBHOOK_KEY_FILE = BASE_DIR / ".webhook-key"
# Seconds to wait after the first, second... failed attempt at a delivery.
WEBHOOK_SCHEDULE = env.integers(
    "WEBHOOK_SCHEDULE", default="5 300 1800 7200 18000 36000 50400 72000 86400", minimum=0
)
# Or the ports of this machine that they may go to, and no others.
WEBHOOK_ALLOW_LOOPBACK = env.boolean_or_ports("WEBHOOK_ALLOW_LOOPBACK", default=False)
# How many deliveries a worker attempts at once.
WEBHOOK_CONCURRENCY = env.integer("WEBHOOK_CONCURRENCY", default=100, minimum=1)

PROCRASTINATE_AUTODISCOVER_MODULE_NAME = "tasks"
PROCRASTINATE_WORKER_DEFAULTS = {
    # A large file must not keep the schedule and everybody's detection waiting.
    "concurrency": 4,
    "fetch_job_polling_interval": 1.0,
    "shutdown_graceful_timeout": 30.0,
}

LOGGING = configuration(
    env.choice(
        "LOG_LEVEL",
        default="WARNING",
        choices=["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"],
    ),
    access_log=env.boolean("ACCESS_LOG", default=True),
)

env.refuse_unknown()

"""Settings, all of them from the environment (12-factor). `docs/settings.md` lists every variable."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from config import env
from config.logs import logging_config
from config.queues import TASK_QUEUES, TASK_ROUTES

BASE_DIR = Path(__file__).resolve().parent.parent
GRIOT_ENV = env.choice("GRIOT_ENV", "production", ("dev", "test", "production"))
PRODUCTION = GRIOT_ENV == "production"
DEBUG = env.boolean("DEBUG", False)
if DEBUG and PRODUCTION:
    raise ImproperlyConfigured("DEBUG=true is refused in production: set GRIOT_ENV=dev")

SECRET_KEY = env.text("DJANGO_SECRET_KEY")
if PRODUCTION and len(SECRET_KEY) < 50:
    raise ImproperlyConfigured("DJANGO_SECRET_KEY: at least 50 characters are required in production")
# The first key encrypts, all of them decrypt: rotation is "put a new one in front".
FIELD_ENCRYPTION_KEYS = env.fernet_keys("FIELD_ENCRYPTION_KEYS")

PUBLIC_BASE_URL = env.url("PUBLIC_BASE_URL", "http://localhost:8000")
BASE_DOMAIN = env.text("BASE_DOMAIN", "localhost")
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", f".{BASE_DOMAIN},localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS")

SHARED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "tenants",
    "django_tenants",
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.admin",
    "django.forms",
    "django_celery_beat",
    "axes",
    "rest_framework",
    "drf_spectacular",
    "config",
    "api",
    "audit",
    "billing.tariffs",
]
TENANT_APPS = [
    # The admin's own history is per organisation: its log entries must not be readable next door.
    "django.contrib.admin",
    "audit",
    "contacts",
    "messaging",
    "campaigns",
    "webhooks_app",
    "otp",
    "billing",
]
INSTALLED_APPS = SHARED_APPS + [app for app in TENANT_APPS if app not in SHARED_APPS]

TENANT_MODEL = "tenants.Organization"
TENANT_DOMAIN_MODEL = "tenants.Domain"
TENANT_LIMIT_SET_CALLS = True
PUBLIC_SCHEMA_URLCONF = "config.urls_public"
ROOT_URLCONF = "config.urls_tenant"
AUTH_USER_MODEL = "tenants.User"

MIDDLEWARE = [
    "config.middleware.RequestContextMiddleware",
    "config.probes.ProbeMiddleware",
    "tenants.middleware.TenantMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "tenants.middleware.SessionTenantMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]
# Paths of the published APIs and of the providers' webhooks: the organisation comes from the credential, on any host.
CREDENTIAL_PATHS: tuple[str, ...] = (
    "/api/",
    "/v1/",
    "/setup/",
    "/webhook/",
    "/media/",
    "/healthz",
    "/readyz",
    "/metrics",
    "/docs/",
    "/static/",
)

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
# Widgets may have templates of this project too, not only of apps.
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"
WSGI_APPLICATION = "config.wsgi.application"

# Database
DATABASE_URL = env.text("DATABASE_URL")
_DATABASE = env.database("DATABASE_URL")
DATABASES = {
    "default": {
        **_DATABASE,
        # A database host that does not answer at all must not hold a probe or a request for minutes.
        "OPTIONS": {"connect_timeout": 5, **_DATABASE.get("OPTIONS", {})},
        "ENGINE": "config.postgresql",
        "CONN_MAX_AGE": env.integer("DATABASE_CONN_MAX_AGE", 600),
        "CONN_HEALTH_CHECKS": True,
        "DISABLE_SERVER_SIDE_CURSORS": True,
        "TEST": {"NAME": env.text("TEST_DATABASE_NAME", "griot_test")},
    }
}
# A connection is given up after so many organisations: its server process remembers every table that it has seen.
DATABASE_MAX_SCHEMAS = env.integer("DATABASE_MAX_SCHEMAS", 200, minimum=1)
# "transaction" behind a pooler such as pgbouncer: every statement then carries its search path (config/postgresql).
DATABASE_POOLING = env.choice("DATABASE_POOLING", "none", ("none", "transaction"))
# Hot statements are prepared on the server. Behind pgbouncer that needs version 1.21 and max_prepared_statements.
DATABASE_PREPARE = env.boolean("DATABASE_PREPARE", DATABASE_POOLING == "none")
DATABASE_ROUTERS = ["django_tenants.routers.TenantSyncRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Cache and broker
REDIS_URL = env.url("REDIS_URL", schemes=("redis", "rediss", "unix"))
CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}}
CELERY_BROKER_URL = env.url(
    "CELERY_BROKER_URL", REDIS_URL, schemes=("redis", "rediss", "redis+socket", "amqp", "amqps", "sqla", "memory")
)
CELERY_TASK_IGNORE_RESULT = True
# No results, so nothing that beat would have to remove every night.
CELERY_RESULT_EXPIRES = None
CELERY_TASK_QUEUES = TASK_QUEUES
CELERY_TASK_ROUTES = TASK_ROUTES
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_CREATE_MISSING_QUEUES = False
# A task taken by a worker that dies is delivered again: every task is safe to run twice.
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# Workers and beat wait for a broker that is away, however long: the default gives up after a hundred attempts.
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 300, "socket_timeout": 30, "socket_connect_timeout": 5}
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULER = "config.scheduler.Scheduler"
# The schedules are in the database, where operators see them; `tenants.beat.schedules_ensure` writes the defaults.
DJANGO_CELERY_BEAT_TZ_AWARE = True

# Accounts and sessions
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "tenants.auth.MembershipBackend"]
if GRIOT_ENV == "test":
    # The real hasher is slow on purpose; tests hash a thousand passwords.
    PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "admin:login"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = env.integer("SESSION_COOKIE_AGE", 12 * 3600, minimum=300)
# Ten wrong passwords for one account from one address lock it there for 15 minutes.
AXES_FAILURE_LIMIT = env.integer("LOGIN_FAILURE_LIMIT", 10, minimum=3)
AXES_COOLOFF_TIME = env.integer("LOGIN_LOCKOUT_MINUTES", 15, minimum=1) / 60
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_USERNAME_FORM_FIELD = "username"
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_TEMPLATE = "admin/locked_out.html"
AXES_VERBOSE = False
# Behind how many of our own proxies we stand: X-Forwarded-For is believed only that far.
TRUSTED_PROXIES = env.integer("TRUSTED_PROXIES", 0, maximum=10)
AXES_CLIENT_IP_CALLABLE = "config.middleware.client_address"

if PRODUCTION:
    SECURE_SSL_REDIRECT = env.boolean("SECURE_SSL_REDIRECT", True)
    SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
    SECURE_HSTS_SECONDS = env.integer("SECURE_HSTS_SECONDS", 31_536_000)
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
    if env.boolean("BEHIND_TLS_PROXY", True):
        SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
X_FRAME_OPTIONS = "DENY"

# Language and time
LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("fr", _("French")), ("es", _("Spanish"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

# Files
STATIC_URL = "/static/"
STATIC_ROOT = env.text("STATIC_ROOT", str(BASE_DIR / "var" / "static"))
WHITENOISE_USE_FINDERS = not PRODUCTION
WHITENOISE_AUTOREFRESH = False
STORAGES: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
MEDIA_ROOT = env.text("MEDIA_ROOT", str(BASE_DIR / "var" / "media"))
# Files of messages: the local disk, or an S3-compatible service when a bucket is named.
MEDIA_URL_SECONDS = env.integer("MEDIA_URL_SECONDS", 3600, minimum=60, maximum=604_800)
MEDIA_DOCUMENT_TYPES = env.words("MEDIA_DOCUMENT_TYPES", "text/csv,application/zip,application/rtf")
MEDIA_S3_BUCKET = env.text("MEDIA_S3_BUCKET", "")
MEDIA_S3_ENDPOINT = env.text("MEDIA_S3_ENDPOINT", "")
MEDIA_S3_REGION = env.text("MEDIA_S3_REGION", "")
MEDIA_S3_ACCESS_KEY = env.text("MEDIA_S3_ACCESS_KEY", "")
MEDIA_S3_SECRET_KEY = env.text("MEDIA_S3_SECRET_KEY", "")
STORAGES["media"] = (
    {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": MEDIA_S3_BUCKET,
            "endpoint_url": MEDIA_S3_ENDPOINT or None,
            "region_name": MEDIA_S3_REGION or None,
            "access_key": MEDIA_S3_ACCESS_KEY or None,
            "secret_key": MEDIA_S3_SECRET_KEY or None,
            "default_acl": "private",
            "file_overwrite": True,
        },
    }
    if MEDIA_S3_BUCKET
    else {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": MEDIA_ROOT}}
)
# A million contacts with a few fields are about 100 MB.
CONTACT_IMPORT_MAX_BYTES = env.integer("CONTACT_IMPORT_MAX_BYTES", 256 * 1024 * 1024, minimum=1024)
# 10,000 recipients with variables fit in 12 MB; Meta's webhooks are 3 MB at most.
DATA_UPLOAD_MAX_MEMORY_SIZE = env.integer("REQUEST_MAX_BYTES", 12 * 1024 * 1024, minimum=1024)

# The published APIs
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": ["config.json.OrjsonRenderer"],
    "DEFAULT_PARSER_CLASSES": ["config.json.OrjsonParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Griot",
    "VERSION": "1.0.0",
    "OAS_VERSION": "3.0.3",
    "SERVE_INCLUDE_SCHEMA": False,
    # The check would put all surfaces into one document, where their names clash; each has a document of its own.
    "ENABLE_DJANGO_DEPLOY_CHECK": False,
    # The surfaces name their components themselves.
    "POSTPROCESSING_HOOKS": [],
    "COMPONENT_SPLIT_REQUEST": True,
}

# Providers
META_GRAPH_URL = env.url("META_GRAPH_URL", "https://graph.facebook.com")
# Where tokens of Instagram's own login are valid, and the secret that signs the webhooks of such an app.
INSTAGRAM_GRAPH_URL = env.url("INSTAGRAM_GRAPH_URL", "https://graph.instagram.com")
INSTAGRAM_APP_SECRET = env.text("INSTAGRAM_APP_SECRET", "")
META_GRAPH_VERSION = env.text("META_GRAPH_VERSION", "v25.0")
META_APP_ID = env.text("META_APP_ID", "")
META_APP_SECRET = env.text("META_APP_SECRET", "")
# The configurations of "Facebook Login for Business": of WhatsApp's embedded sign-up, of pages and Instagram accounts.
META_CONFIG_ID = env.text("META_CONFIG_ID", "")
META_PAGE_CONFIG_ID = env.text("META_PAGE_CONFIG_ID", "")
META_VERIFY_TOKEN = env.text("META_VERIFY_TOKEN", "")
SANDBOX_URL = env.url("SANDBOX_URL", "http://127.0.0.1:8900")
# Networks that a URL given by a user may reach although they are private, such as 10.1.0.0/16.
EGRESS_ALLOWED_NETWORKS = env.words("EGRESS_ALLOWED_NETWORKS", "" if PRODUCTION else "127.0.0.0/8,::1/128")
# Corrections of the operator table: prefix (E.164 digits) and operator. The default shows the example numbers of the
# marketing API's document as the document does (docs/sms.md, "Operators").
OPERATOR_PREFIXES = env.pairs(
    "OPERATOR_PREFIXES", "24162:airtel,24177:moov", pattern=r"[1-9][0-9]{0,14}:[a-z0-9]+(_[a-z0-9]+)*"
)
MESSAGING_DRIVERS = [
    "messaging.drivers.whatsapp_cloud.driver.WhatsAppCloudDriver",
    "messaging.drivers.messenger.driver.MessengerDriver",
    "messaging.drivers.instagram.driver.InstagramDriver",
    "messaging.drivers.sms_http.driver.SmsHttpDriver",
]

# The engine; the numbers are explained in docs/engine.md
DISPATCH_CONNECTIONS = env.integer("DISPATCH_CONNECTIONS", 6, minimum=1, maximum=100)
DISPATCH_BATCH = env.integer("DISPATCH_BATCH", 500, minimum=1, maximum=5000)
DISPATCH_CONCURRENCY = env.integer("DISPATCH_CONCURRENCY", 400, minimum=1, maximum=10_000)
DISPATCH_LEASE_SECONDS = env.integer("DISPATCH_LEASE_SECONDS", 15, minimum=5, maximum=300)
SEND_TIMEOUT_SECONDS = env.integer("SEND_TIMEOUT_SECONDS", 20, minimum=1, maximum=120)
# How long an outcome that is not known waits for an echo before it is decided.
IN_DOUBT_WINDOW_SECONDS = env.integer("IN_DOUBT_WINDOW_SECONDS", 120, minimum=1, maximum=86_400)
# Webhooks out; the numbers are explained in docs/webhooks.md
WEBHOOK_CONNECTIONS = env.integer("WEBHOOK_CONNECTIONS", 4, minimum=1, maximum=100)
WEBHOOK_REQUESTS = env.integer("WEBHOOK_REQUESTS", 1000, minimum=1, maximum=20_000)
WEBHOOK_CONCURRENCY = env.integer("WEBHOOK_CONCURRENCY", 64, minimum=1, maximum=1000)
WEBHOOK_DISABLE_DAYS = env.integer("WEBHOOK_DISABLE_DAYS", 5, minimum=1, maximum=90)
ORGANIZATION_PURGE_DAYS = env.integer("ORGANIZATION_PURGE_DAYS", 30, minimum=1, maximum=3650)

# How many days each kind of data is kept when nothing else is set for an organisation; None: for ever.
# The rules are in the apps' retention.py; docs/reliability.md explains them.
RETENTION_DAYS = env.days(
    "RETENTION_DAYS",
    {
        "inbound_bodies": 7,
        "inbound_events": 30,
        "failed_logins": 30,
        "sessions": 1,
        "history": 730,
        "message_bodies": 365,
        "files": 365,
        "messages": 730,
        "send_attempts": 90,
        "counters": 90,
        "idempotency": 1,
        "imports": 90,
        "otp": 30,
        "audit": 730,
        "webhook_bodies": 14,
        "webhook_deliveries": 30,
        "webhook_events": 30,
    },
)
RETENTION_SLICE_SECONDS = env.integer("RETENTION_SLICE_SECONDS", 5, minimum=1, maximum=120)
# How many organisations may be registered over the API from one address within an hour; 0 closes registration.
REGISTRATIONS_PER_HOUR = env.integer("REGISTRATIONS_PER_HOUR", 20 if PRODUCTION else 1000, maximum=1_000_000)

# People who register over the marketing API start with an SMS channel of the sandbox, to try it out.
REGISTRATION_SANDBOX_CHANNEL = env.boolean("REGISTRATION_SANDBOX_CHANNEL", not PRODUCTION)
# A campaign that costs more credits than there are is not launched; false: it begins, and pauses when they are used up.
CAMPAIGN_CREDITS_REQUIRED = env.boolean("CAMPAIGN_CREDITS_REQUIRED", True)
# A login to the marketing API ends after so many days.
ACCESS_TOKEN_DAYS = env.integer("ACCESS_TOKEN_DAYS", 90, minimum=1, maximum=3650)

# Without one, production does not publish /metrics at all.
METRICS_TOKEN = env.text("METRICS_TOKEN", "")

# Where `demo_data` writes addresses, logins and keys of the demo organisations.
DEMO_FILE = env.text("DEMO_FILE", str(BASE_DIR / "var" / "demo.json"))

# Mail: invitations. In development it is printed instead of sent.
EMAIL_BACKEND = env.text(
    "EMAIL_BACKEND", f"django.core.mail.backends.{'smtp' if PRODUCTION else 'console'}.EmailBackend"
)
EMAIL_HOST = env.text("EMAIL_HOST", "localhost")
EMAIL_PORT = env.integer("EMAIL_PORT", 25, minimum=1, maximum=65_535)
EMAIL_HOST_USER = env.text("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = env.text("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = env.boolean("EMAIL_USE_TLS", False)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", f"griot@{BASE_DOMAIN}")

LOGGING_CONFIG = None
LOG_LEVEL = env.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR"))
LOG_FORMAT = env.choice("LOG_FORMAT", "json" if PRODUCTION else "console", ("json", "console"))
logging_config(level=LOG_LEVEL, form=LOG_FORMAT)

UNFOLD = {
    "SITE_TITLE": "Griot",
    "SITE_HEADER": "Griot",
    "SITE_SYMBOL": "forum",
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_LANGUAGES": True,
    "SIDEBAR": {"show_search": True, "navigation": "config.admin_navigation.sidebar"},
    "COLORS": {
        "primary": {
            "50": "#eefbf5",
            "100": "#d5f5e5",
            "200": "#aee9cf",
            "300": "#79d7b3",
            "400": "#43be92",
            "500": "#1fa378",
            "600": "#128361",
            "700": "#0e6950",
            "800": "#0e5341",
            "900": "#0c4537",
            "950": "#06271f",
        }
    },
}

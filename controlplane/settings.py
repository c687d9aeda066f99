"""The one settings module: every value that differs between installations comes from the environment."""

import base64
import binascii
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from csp.constants import NONCE, NONE, SELF

from controlplane import env
from controlplane.enum_names import ENUM_NAMES
from core.envelope import derived_key

BASE_DIR = Path(__file__).resolve().parent.parent
PUBLIC_URL = env.web_url("PUBLIC_URL", "where people reach the console", default="http://127.0.0.1:8000")
GATEWAY_URL = env.web_url("GATEWAY_URL", "where agents reach the gateway; ends in /mcp", default=f"{PUBLIC_URL}/mcp")
ISSUER = PUBLIC_URL
_public = urlsplit(PUBLIC_URL)
_gateway = urlsplit(GATEWAY_URL)
IS_LOOPBACK = _public.hostname in ("127.0.0.1", "localhost", "::1")
IS_HTTPS = _public.scheme == "https"

SECRET_KEY = env.text("SECRET_KEY", "signs sessions and forms; at least 50 random characters", secret=True)
DEBUG = False
ALLOWED_HOSTS = [str(_public.hostname), str(_gateway.hostname)] + (["localhost", "127.0.0.1"] if IS_LOOPBACK else [])
CSRF_TRUSTED_ORIGINS = [f"{_public.scheme}://{_public.netloc}"]
INSTALLATION_ID = env.text(
    "INSTALLATION_ID", "name of this installation, part of everything signed or sealed", default="holdfast"
)


def _key(name: str, purpose: str) -> bytes:
    return _decoded(name, env.text(name, f"{purpose}; 32 random bytes in base64", secret=True))


def _keys(name: str, purpose: str) -> tuple[bytes, ...]:
    """The first is used for what is new, the others only for what is there; without any, one that we derive."""
    told = f"{purpose}; 32 random bytes in base64, older keys after it with commas; empty: derived from SECRETS_KEY"
    values = env.text(name, told, default="", secret=True).split(",")
    given = tuple(_decoded(name, value.strip()) for value in values if value.strip())
    return given or (derived_key(SECRETS_KEY, name),)


def _decoded(name: str, value: str) -> bytes:
    try:
        key = base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise env.SettingError(f"{name} is not base64") from error
    if len(key) != 32:
        raise env.SettingError(f"{name} must hold 32 bytes, not {len(key)}")
    return key


SECRETS_KEY = _key("SECRETS_KEY", "encrypts stored secrets")
TOKEN_KEY = _key("TOKEN_KEY", "authenticates the tokens we issue")
AUDIT_KEYS = _keys("AUDIT_KEY", "authenticates records of the audit log")
PAYLOAD_KEYS = _keys("PAYLOAD_KEY", "encrypts kept arguments and results of calls")
AUDIT_ALARM_URL = env.web_url(
    "AUDIT_ALARM_URL", "where alarms go that the database cannot carry; a webhook", default=""
)
AUDIT_ALARM_SECRET = env.webhook_secret("AUDIT_ALARM_SECRET", "signs alarms (Standard Webhooks), `whsec_` and base64")
PAYLOAD_RETENTION_DAYS = env.integer(
    "PAYLOAD_RETENTION_DAYS",
    "days that a call's payload is kept: what is stored of it, and what its commitments can be checked with",
    default=30, minimum=1, maximum=3650,
)  # fmt: skip
LOG_RETENTION_MONTHS = env.integer(
    "LOG_RETENTION_MONTHS",
    "whole months after which the bodies of records may be pruned, by two people; 0: never",
    default=0, minimum=0, maximum=1200,
)  # fmt: skip

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "servestatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django_htmx",
    "csp",
    "django_filters",
    "rest_framework",
    "drf_spectacular",
    "oauth2_provider",
    "allauth.account",  # the second factors' models need it; none of its pages is mounted
    "allauth.mfa",
    "audit",
    "access",
    "servers",
    "tools",
    "alerts",
    "gateway",
    "controlplane",
]

MIDDLEWARE = [
    "controlplane.middleware.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "servestatic.middleware.ServeStaticMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "core.language.LanguageMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "access.middleware.ActorMiddleware",
    "controlplane.middleware.RefusalMiddleware",
]

ROOT_URLCONF = "controlplane.urls"
ASGI_APPLICATION = "controlplane.asgi.application"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": False,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
                "controlplane.context.navigation",
            ],
            "builtins": [
                "django.templatetags.i18n",
                "django.templatetags.static",
                "controlplane.templatetags.by_api",
                "controlplane.templatetags.charts",
                "controlplane.templatetags.governance",
                "controlplane.templatetags.holdfast",
                "controlplane.templatetags.onboarding",
                "controlplane.templatetags.refusals",
            ],
        },
    }
]

FORM_RENDERER = "controlplane.form_renderer.Renderer"

# --- data ---------------------------------------------------------------------------------------------------
DATABASES = {
    "default": {
        **env.database("DATABASE_URL", "PostgreSQL as the application's role, which owns nothing"),
        "CONN_MAX_AGE": 0,
        "CONN_HEALTH_CHECKS": True,
        "ATOMIC_REQUESTS": False,
    }
}
DATABASE_ADMIN_URL = env.text(
    "DATABASE_ADMIN_URL", "PostgreSQL as the owner role; used by migrations only", default="", secret=True
)
REDIS_URL = env.text("REDIS_URL", "Redis or Valkey: task broker and messenger", secret=True)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch")]  # each named in itself; catalogues are in locale/
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True

# --- people -------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "access.Person"
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
LOGIN_URL = "access:sign_in"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "access:sign_in"
# Second factors (docs/security/sign-in.md): allauth checks codes and keys; which pages ask, and when, is ours.
MFA_ADAPTER = "access.second_factor_adapter.Adapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_TOTP_TOLERANCE = 1  # steps of 30 seconds that a clock may be off
MFA_TOTP_ISSUER = "Holdfast"
# People's passwords take the first; the second is for agents' secrets, which we generate (see its docstring).
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.ScryptPasswordHasher",
    "access.oauth.hashers.ClientSecretHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]

# --- agents: django-oauth-toolkit, strict -----------------------------------------------------------------------
OAUTH2_PROVIDER_APPLICATION_MODEL = "access.Agent"
OAUTH2_PROVIDER_ACCESS_TOKEN_MODEL = "access.AccessToken"  # noqa: S105 -- a model's name, no secret
OAUTH2_PROVIDER_REFRESH_TOKEN_MODEL = "access.RefreshToken"  # noqa: S105 -- a model's name, no secret
OAUTH2_PROVIDER_GRANT_MODEL = "access.AuthorizationCode"
OAUTH2_PROVIDER_ID_TOKEN_MODEL = "access.IDToken"  # noqa: S105 -- a model's name, no secret
ACCESS_TOKEN_SECONDS = env.integer(
    "ACCESS_TOKEN_SECONDS", "life of an agent's access token in seconds", default=600, minimum=30, maximum=3600
)
REFRESH_TOKEN_DAYS = env.integer(
    "REFRESH_TOKEN_DAYS",
    "days after which a person is asked again whether an agent may act for them, however often it refreshed",
    default=30, minimum=1, maximum=90,
)  # fmt: skip
# The toolkit's defaults are neither safe nor interoperable for MCP; each line here closes something.
OAUTH2_PROVIDER: dict[str, Any] = {
    "OIDC_ISS_ENDPOINT": ISSUER,  # never derived from the Host header
    "OAUTH2_BACKEND_CLASS": "access.oauth.core.Core",  # codes are known by their hash
    "OAUTH2_VALIDATOR_CLASS": "access.oauth.validator.Validator",
    "SCOPES_BACKEND_CLASS": "access.oauth.scopes.McpScopes",
    "SCOPES": {"mcp:connect": "Connect to a server and list what it offers"},
    "DEFAULT_SCOPES": ["mcp:connect"],
    "ACCESS_TOKEN_GENERATOR": "access.oauth.generators.access_token",
    "REFRESH_TOKEN_GENERATOR": "access.oauth.generators.refresh_token",
    "CLIENT_SECRET_HASHER": "holdfast_client_secret",
    "ACCESS_TOKEN_EXPIRE_SECONDS": ACCESS_TOKEN_SECONDS,
    "AUTHORIZATION_CODE_EXPIRE_SECONDS": 60,
    "REFRESH_TOKEN_EXPIRE_SECONDS": 14 * 86_400,  # unused; REFRESH_TOKEN_DAYS bounds a family that is used
    "REFRESH_TOKEN_GRACE_PERIOD_SECONDS": 0,
    "REFRESH_TOKEN_REUSE_PROTECTION": True,
    "ROTATE_REFRESH_TOKEN": True,
    "PKCE_REQUIRED": True,
    "ALLOW_URI_WILDCARDS": False,
    "ALLOW_LOCALHOST_LOOPBACK": True,
    "COMPLIANT_BCP_RFC9700_IMPLICIT_GRANT": True,
    "COMPLIANT_BCP_RFC9700_PASSWORD_GRANT": True,
    "COMPLIANT_BCP_RFC9700_PKCE_METHOD": True,
    "COMPLIANT_BCP_RFC9700_ACCESS_TOKEN_TRANSPORT": True,
    "COMPLIANT_BCP_RFC9700_AUTHZ_RESPONSE_ISS": True,
    "COMPLIANT_BCP_RFC9700_TOKEN_STORAGE": True,
    "COMPLIANT_BCP_RFC9700_REFRESH_TOKEN": True,
    "COMPLIANT_BCP_RFC9700_REDIRECT_URI_MATCHING": True,
    "COMPLIANT_BCP_RFC9700_PKCE_REQUIRED": True,
    "OAUTH2_GRANT_TYPES_SUPPORTED": ["authorization_code", "client_credentials", "refresh_token"],
    "OAUTH2_RESPONSE_TYPES_SUPPORTED": ["code"],
    "CIMD_ENABLED": False,  # ours is access/services/clients.py: docs/adr/0019-client-documents.md
    "DCR_ENABLED": False,
}

# How clients that nobody registered come to be known (docs/operations/clients.md).
CLIENT_DOCUMENTS = env.choice(
    "CLIENT_DOCUMENTS",
    "whose client id may be the URL of a document that describes it: nobody's (off), those of CLIENT_DOCUMENT_URLS "
    "(listed), everybody's (any)",
    default="listed",
    choices=("off", "listed", "any"),
)
CLIENT_DOCUMENT_URLS = env.web_urls(
    "CLIENT_DOCUMENT_URLS",
    "documents of clients that are known here, https URLs with blanks between them",
    default=(
        "https://chatgpt.com/oauth/client.json",
        "https://chatgpt.com/oauth/codex/client.json",
        "https://claude.ai/oauth/claude-code-client-metadata",
        "https://claude.ai/oauth/mcp-oauth-client-metadata",
        "https://opencode.ai/oauth/opencode/client.json",
        "https://vscode.dev/oauth/client-metadata.json",
        "https://zed.dev/oauth/client-metadata.json",
    ),
)

DYNAMIC_REGISTRATION = env.choice(
    "DYNAMIC_REGISTRATION",
    "whether clients may register themselves at /oauth/register/: not at all (off), with an API token that holds "
    "agent:register (token), or whoever asks (open)",
    default="off",
    choices=("off", "token", "open"),
)
OAUTH_REQUESTS_PER_MINUTE = env.integer(
    "OAUTH_REQUESTS_PER_MINUTE",
    "requests a minute from one address that /oauth/ answers, all its endpoints together",
    default=600,
    minimum=10,
    maximum=1_000_000,
)

# --- outbound traffic -------------------------------------------------------------------------------------------
OUTBOUND_ALLOW = env.networks(
    "OUTBOUND_ALLOW", "networks that servers and webhooks may live in besides public https addresses"
)
OUTBOUND_CA_FILE = env.text("OUTBOUND_CA_FILE", "extra certificate authorities for outbound TLS, PEM", default="")

# --- telemetry (docs/telemetry.md) ------------------------------------------------------------------------------
METRICS_TOKEN = env.token(
    "METRICS_TOKEN", "bearer token that reads /metrics; without it only direct peers on loopback addresses may"
)
OTEL_EXPORTER_OTLP_ENDPOINT = env.web_url(
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTLP/HTTP collector; /v1/traces is appended; without it nothing is traced",
    default="",
)
OTEL_EXPORTER_OTLP_HEADERS = env.pairs(
    "OTEL_EXPORTER_OTLP_HEADERS", "headers for the collector: name=value,name=value, percent-encoded"
)
OTEL_TRACES_SAMPLER_ARG = env.ratio(
    "OTEL_TRACES_SAMPLER_ARG", "share of the traces that start here which are kept, 0 to 1", default=1.0
)
OTEL_SERVICE_NAME = env.text("OTEL_SERVICE_NAME", "name of the gateway in traces", default="holdfast-gateway")

# --- browser safety ---------------------------------------------------------------------------------------------
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}
CSRF_FAILURE_VIEW = "controlplane.views.csrf_failure"
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CONTENT_TYPE_NOSNIFF = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = IS_HTTPS
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_NAME = "__Host-session" if IS_HTTPS else "session"
CSRF_COOKIE_NAME = "__Host-csrf" if IS_HTTPS else "csrf"
LANGUAGE_COOKIE_NAME = "language"
LANGUAGE_COOKIE_HTTPONLY = True
SESSION_ENGINE = "access.sessions"
SESSION_COOKIE_AGE = 8 * 3600
SESSION_IDLE_MINUTES = env.integer(
    "SESSION_IDLE_MINUTES", "minutes after which a console session that does nothing ends", default=30, minimum=1,
    maximum=480,
)  # fmt: skip
SECURE_HSTS_SECONDS = 31_536_000 if IS_HTTPS else 0
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_048_576

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = BASE_DIR / ".static"
SERVESTATIC_USE_FINDERS = True

# --- API --------------------------------------------------------------------------------------------------------
REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["access.api.authentication.ApiTokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["core.api.StrictJSONParser"],
    "DEFAULT_PAGINATION_CLASS": "core.api.Pagination",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    # A parameter called `format` is the view's own.
    "URL_FORMAT_OVERRIDE": None,
    "EXCEPTION_HANDLER": "audit.api.denials.exception_handler",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Holdfast API",
    "VERSION": "1",
    "DESCRIPTION": "Everything the console can do, for programs.",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVE_PUBLIC": True,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "POSTPROCESSING_HOOKS": ["drf_spectacular.hooks.postprocess_schema_enums", "core.openapi.add_errors"],
    "ENUM_NAME_OVERRIDES": ENUM_NAMES,
}

# --- background work --------------------------------------------------------------------------------------------
POLL_TICK_SECONDS = env.integer(
    "POLL_TICK_SECONDS", "how often due servers are handed out", default=5, minimum=1, maximum=300
)
REFUSE_TOXIC_GRANTS = env.boolean(
    "REFUSE_TOXIC_GRANTS",
    "whether a grant that completes a toxic flow is refused; otherwise whoever gives it is told",
    default=False,
)
UNUSED_DAYS = env.integer(
    "UNUSED_DAYS", "days after which a grant or scope that nobody used is named", default=90, minimum=1, maximum=3650
)
# How long a review may wait before it is overdue, by the risk of its change.
REVIEW_DUE_HOURS = {
    "high": env.integer(
        "REVIEW_DUE_HOURS_HIGH",
        "hours after which a review of high risk is overdue",
        default=24, minimum=1, maximum=8760,
    ),
    "medium": env.integer(
        "REVIEW_DUE_HOURS_MEDIUM",
        "hours after which a review of medium risk is overdue",
        default=72, minimum=1, maximum=8760,
    ),
    "low": env.integer(
        "REVIEW_DUE_HOURS_LOW",
        "hours after which a review of low risk is overdue",
        default=168, minimum=1, maximum=8760,
    ),
}  # fmt: skip
NOTICE_SECONDS = env.integer(
    "NOTICE_SECONDS",
    "how long a gateway that was told to stop serves on while it is not ready, so that whoever routes to it notices",
    default=5, minimum=0, maximum=60,
)  # fmt: skip
TASK_APPLICATION = "controlplane.celery.app"  # loaded by whoever sends a task, and by workers (`core.queue`)
CELERY_BROKER_URL = env.broker_url(REDIS_URL)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 10
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# With kombu's defaults a task of a killed worker comes back after about 100 s.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 300,
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
}
CELERY_TASK_DEFAULT_QUEUE = "poll"
# A task's name starts with the queue's name or, for the app `tools`, belongs to `poll`.
CELERY_TASK_ROUTES = {
    "access.*": {"queue": "audit"},
    "tools.rescan_outdated": {"queue": "scan"},  # looks at servers do not wait for it
    "tools.*": {"queue": "poll"},
    "servers.*": {"queue": "poll"},
    "alerts.tell_policy": {"queue": "audit"},  # messages to people do not wait for it
    "alerts.*": {"queue": "alerts"},
    # They take as long as the log is, and others wait on that queue for seconds at most.
    "audit.verify_*": {"queue": "scan"},
    # Before the pattern that fits it as well: receivers that hang must not hold up the log.
    "audit.send_exports": {"queue": "export"},
    "audit.*": {"queue": "audit"},
}
CELERY_BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    # `expires`: a tick that waited past the next one has nothing left to say.
    "hand-out-due-servers": {
        "task": "tools.hand_out_due_servers",
        "schedule": POLL_TICK_SECONDS,
        "options": {"expires": POLL_TICK_SECONDS},
    },
    "sketch-old-versions": {"task": "tools.sketch_old_versions", "schedule": 300.0, "options": {"expires": 300}},
    "rescan-outdated": {"task": "tools.rescan_outdated", "schedule": 300.0, "options": {"expires": 300}},
    "settle-expired": {"task": "tools.settle_expired", "schedule": 5.0, "options": {"expires": 5}},
    "end-emergencies": {"task": "tools.end_emergencies", "schedule": 5.0, "options": {"expires": 5}},
    "place-records": {"task": "audit.place_records", "schedule": 1.0, "options": {"expires": 5}},
    "reconcile-unfinished": {"task": "audit.reconcile_unfinished", "schedule": 10.0, "options": {"expires": 10}},
    "expire-payloads": {"task": "audit.expire_payloads", "schedule": 300.0, "options": {"expires": 300}},
    "clear-expired-tokens": {"task": "access.clear_expired", "schedule": 3600.0, "options": {"expires": 3600}},
    "forget-old-samples": {
        "task": "servers.forget_old_samples",
        "schedule": 86_400.0,
        "options": {"expires": 86_400},
    },
    "tell-policy": {"task": "alerts.tell_policy", "schedule": 60.0, "options": {"expires": 60}},
    "count-uses": {"task": "tools.count_uses", "schedule": 10.0, "options": {"expires": 10}},
    "verify-new-records": {"task": "audit.verify_new_records", "schedule": 60.0, "options": {"expires": 60}},
    # At a quiet hour (UTC); some minutes for a log of millions. Hours and minutes are read by `controlplane.celery`,
    # so that a gateway, which has no tasks, does not load what reads them.
    "verify-log": {
        "task": "audit.verify_log",
        "schedule": {"hour": "3", "minute": "17"},
        "options": {"expires": 43_200},
    },
    "send-exports": {"task": "audit.send_exports", "schedule": 5.0, "options": {"expires": 5}},
    "create-shards": {"task": "audit.create_shards", "schedule": 3600.0, "options": {"expires": 3600}},
    "follow-records": {"task": "alerts.follow_records", "schedule": 1.0, "options": {"expires": 5}},
    "deliver": {"task": "alerts.deliver_due", "schedule": 2.0, "options": {"expires": 10}},
}

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    # The outbound client logs full URLs at INFO; ours says what is needed without query strings.
    # Celery's two lines per task say nothing: a tick runs every second.
    "loggers": {
        name: {"level": "WARNING"} for name in ("httpx2", "httpcore2", "celery.worker.strategy", "celery.app.trace")
    },
}

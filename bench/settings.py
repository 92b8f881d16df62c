"""The platform's settings plus the address of the bare view."""

from config.settings import *  # noqa: F403

PUBLIC_SCHEMA_URLCONF = "bench.urls"
CREDENTIAL_PATHS = (*CREDENTIAL_PATHS, "/bench/")  # noqa: F405

"""WSGI entry point: threads with persistent connections, so that one connection never serves two schemas at once."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = get_wsgi_application()


def _start() -> None:
    """Load now what the first requests would wait for, on both kinds of hosts."""
    from django.conf import settings
    from django.urls import get_resolver

    from config.garbage import keep_what_is_here

    for urlconf in (settings.ROOT_URLCONF, settings.PUBLIC_SCHEMA_URLCONF):
        _ = get_resolver(urlconf).url_patterns
    keep_what_is_here()


_start()

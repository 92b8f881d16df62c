"""WSGI entry point: threads with persistent connections, so that one connection never serves two schemas at once."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = get_wsgi_application()

"""An organisation's host: its admin and everything that works on every host."""

from __future__ import annotations

from config.urls_surfaces import urlpatterns as surfaces

urlpatterns = [*surfaces]

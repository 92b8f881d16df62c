"""Addresses of the hosted setup page, on any host: the link's token says which organisation it belongs to."""

from __future__ import annotations

from django.urls import path

from messaging.setup.views import setup_cancel, setup_connect, setup_continue, setup_page

urlpatterns = [
    path("<str:token>", setup_page, name="setup-page"),
    path("<str:token>/connect", setup_connect, name="setup-connect"),
    path("<str:token>/continue", setup_continue, name="setup-continue"),
    path("<str:token>/cancel", setup_cancel, name="setup-cancel"),
]

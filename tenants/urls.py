"""Addresses on an organisation's host that are reached from a mail or from the super-admin site."""

from __future__ import annotations

from django.urls import path

from tenants.views import invitation, support_enter

urlpatterns = [
    path("invitation/<str:token>/", invitation, name="invitation"),
    path("support/<str:token>/", support_enter, name="support_enter"),
]

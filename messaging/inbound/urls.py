"""Addresses of the providers' webhooks; mounted at `/webhook/` on every host."""

from __future__ import annotations

from django.urls import path

from messaging.inbound import views

urlpatterns = [
    path("meta", views.meta, name="webhook-meta"),
    path("<uuid:org_id>", views.organization, name="webhook-organization"),
    path("<uuid:org_id>/phone/<str:phone_id>", views.phone, name="webhook-phone"),
]

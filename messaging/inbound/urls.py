"""Addresses of the providers' webhooks; mounted at `/webhook/` on every host."""

from __future__ import annotations

from django.urls import path, re_path

from messaging.inbound import views

urlpatterns = [
    path("meta", views.meta, name="webhook-meta"),
    re_path(
        r"^callback/(?P<external_id>[\w.-]{1,64})/(?P<token>[\w-]{1,128})/(?P<about>report|message)$",
        views.callback,
        name="webhook-callback",
    ),
    path("<uuid:org_id>", views.organization, name="webhook-organization"),
    path("<uuid:org_id>/phone/<str:phone_id>", views.phone, name="webhook-phone"),
]

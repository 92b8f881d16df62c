"""Addresses of files; mounted at `/media/` on every host."""

from __future__ import annotations

from django.urls import path

from messaging.media import views

urlpatterns = [path("<str:token>", views.media, name="media")]

"""The public host: super-admin site and everything that works on every host."""

from __future__ import annotations

from django.urls import include, path
from django.views.generic import RedirectView

from config.admin_sites import public_site
from config.urls_surfaces import urlpatterns as surfaces

urlpatterns = [
    *surfaces,
    path("i18n/", include("django.conf.urls.i18n")),
    path("admin/", public_site.urls),
    path("", RedirectView.as_view(pattern_name="admin:index")),
]

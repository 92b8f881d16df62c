"""An organisation's host: its admin and everything that works on every host."""

from __future__ import annotations

from django.urls import include, path
from django.views.generic import RedirectView

from config.admin_sites import organization_site
from config.urls_surfaces import urlpatterns as surfaces
from tenants.urls import urlpatterns as tenancy

urlpatterns = [
    *surfaces,
    *tenancy,
    path("i18n/", include("django.conf.urls.i18n")),
    path("admin/", organization_site.urls),
    path("", RedirectView.as_view(pattern_name="admin:index")),
]

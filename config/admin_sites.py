"""The two admin sites: the super-admins' one on the public host, and each organisation's on its own host.

Both are called "admin" in addresses (`admin:index`): a host has only one of them.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from django.contrib.admin import AdminSite
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.templatetags.static import static
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.forms import AuthenticationForm
from unfold.sites import UnfoldAdminSite

from tenants.auth import role_here
from tenants.models import Organization
from tenants.services.support import support_access_end
from tenants.sessions import session_bind

if TYPE_CHECKING:
    from django.contrib.auth.forms import AuthenticationForm as _AuthenticationForm

    _AdminSite = AdminSite
else:
    _AdminSite = UnfoldAdminSite
    _AuthenticationForm = AuthenticationForm


class LoginForm(_AuthenticationForm):
    """E-mail address and password. One answer for every mistake, so that it does not tell which accounts exist."""

    error_messages = {  # noqa: RUF012 Django's own shape
        "invalid_login": _("This e-mail address and password do not open this site."),
        "inactive": _("This e-mail address and password do not open this site."),
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].label = _("E-mail")
        self.fields["username"].widget.input_type = "email"
        self.fields["username"].widget.attrs["autocomplete"] = "username"

    def clean_username(self) -> str:
        """Addresses are kept in lower case, and the lock-out must count all spellings as one account."""
        return str(self.cleaned_data["username"]).strip().lower()

    def get_invalid_login_error(self) -> ValidationError:
        return ValidationError(self.error_messages["invalid_login"], code="invalid_login")


class GriotSite(_AdminSite):
    """What both sites share."""

    login_form = LoginForm
    enable_nav_sidebar = True
    empty_value_display = "–"

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Log in and bind the session to the schema of this host."""
        response = super().login(request, extra_context)
        if request.method == "POST" and request.user.is_authenticated and self.has_permission(request):
            session_bind(request)
            if REDIRECT_FIELD_NAME not in request.POST and REDIRECT_FIELD_NAME not in request.GET:
                return HttpResponseRedirect(reverse("admin:index"))
        return response

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        context: dict[str, Any] = super().each_context(request)
        context["styles"] = [*context.get("styles", []), static("griot/admin.css")]
        context["site_favicons"] = [{"href": static("griot/icon.svg"), "rel": "icon", "type": "image/svg+xml"}]
        context["site_url"] = None
        context["show_history"] = request.user.has_perm("admin.view_logentry")
        context["support_access"] = getattr(request, "support_access", None)
        return context

    def search(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Pages by name. The stock one caches by user and word alone, which would answer across organisations."""
        word = request.GET.get("s", "").strip().lower()
        if not word:
            return HttpResponse()
        found = [
            {"title": model["name"], "description": app["name"], "link": model["admin_url"], "icon": "tag"}
            for app in self.get_app_list(request)
            for model in app["models"]
            if word in str(model["name"]).lower() or word in str(app["name"]).lower()
        ]
        return TemplateResponse(request, "admin/page_search.html", {"found": found})


class PublicSite(GriotSite):
    """The super-admins' site."""

    index_title = _("Overview")

    def has_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_active and request.user.is_superuser)

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        self.index_template = "admin/dashboard_public.html"
        # The pages' modules register at this module's sites, so they can only be imported later.
        from config.admin_dashboards import public_dashboard

        return super().index(request, {**public_dashboard(request), **(extra_context or {})})


class OrganizationSite(GriotSite):
    """An organisation's admin: members of that organisation, and super-admins who entered through support."""

    index_title = _("Today")

    def has_permission(self, request: HttpRequest) -> bool:
        return role_here(request.user) is not None

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Leaving ends a support visit, so that nothing of it can be used again."""
        visit = getattr(request, "support_access", None)
        if request.method == "POST" and visit is not None:
            support_access_end(access=visit)
        return super().logout(request, extra_context)

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        self.index_template = "admin/dashboard.html"
        # The pages' modules register at this module's sites, so they can only be imported later.
        from config.admin_dashboards import organization_dashboard

        return super().index(request, {**organization_dashboard(request), **(extra_context or {})})

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        context = super().each_context(request)
        name = organization_of(request).name
        context |= {"site_title": name, "site_header": name, "site_subheader": "Griot"}
        return context

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Pages show times in the organisation's zone; they are rendered here, while the zone is in force."""

        @wraps(view)
        def zoned(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            with timezone.override(ZoneInfo(organization_of(request).time_zone)):
                response: HttpResponse = view(request, *args, **kwargs)
                if isinstance(response, TemplateResponse) and not response.is_rendered:
                    response.render()
            return response

        return super().admin_view(zoned, cacheable)


def organization_of(request: HttpRequest) -> Organization:
    """The organisation of the host. Raises PermissionDenied on a host that has none."""
    tenant = getattr(request, "tenant", None)
    if not isinstance(tenant, Organization):
        raise PermissionDenied
    return tenant


public_site = PublicSite(name="admin")
organization_site = OrganizationSite(name="admin")

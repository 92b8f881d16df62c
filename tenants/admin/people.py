"""Super-admins: users, and the record of support visits."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.models import ADDITION, CHANGE
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import PermissionDenied
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.admin_base import HistoryAdmin, ReadOnlyAdmin, ReadOnlyInline
from config.admin_decorators import action, display
from config.admin_forms import ServiceForm, posted
from config.admin_sites import public_site
from tenants.models import Membership, SupportAccess, User


class PasswordForm(ServiceForm):
    """A new password, checked by the site's rules."""

    password = forms.CharField(
        label=gettext_lazy("New password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=gettext_lazy("At least 10 characters, not a common one."),
    )

    def __init__(self, *args: Any, user: User | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._user = user

    def clean_password(self) -> str:
        password = str(self.cleaned_data["password"])
        validate_password(password, self._user)
        return password


class SuperAdminForm(PasswordForm):
    """A new super-admin. Members of organisations are made in their organisation."""

    email = forms.EmailField(label=gettext_lazy("E-mail"))
    name = forms.CharField(label=gettext_lazy("Name"), max_length=120, required=False)
    field_order = ("email", "name", "password")

    def clean_email(self) -> str:
        email = str(self.cleaned_data["email"]).lower()
        if User.objects.filter(email__iexact=email).exists():
            raise forms.ValidationError(_("There is an account with this address already."))
        return email


class MembershipsInline(ReadOnlyInline):
    model = Membership
    fields = ("organization", "role", "is_suspended", "created_at")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("organization", "user")


@admin.register(User, site=public_site)
class UserAdmin(HistoryAdmin[User]):
    list_display = ("email", "name", "is_active", "is_superuser", "member_of", "last_login")
    list_filter = ("is_active", "is_superuser")
    search_fields = ("email", "name")
    search_help_text = gettext_lazy("E-mail or name")
    fields = ("email", "name", "is_active", "is_superuser", "last_login", "date_joined", "public_id")
    readonly_fields = ("email", "is_superuser", "last_login", "date_joined", "public_id")
    inlines = (MembershipsInline,)
    actions_detail = ("set_password",)

    @property
    def add_label(self) -> str:
        return _("Add a super-admin")

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).annotate(organization_count=Count("memberships"))

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Accounts stay for the history; "active" takes the access away."""
        return False

    @display(description=gettext_lazy("Organisations"), ordering="organization_count")
    def member_of(self, obj: Any) -> int:
        return int(obj.organization_count)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        """Nobody can lock themselves out."""
        own = obj is not None and obj.pk == request.user.pk
        return (*self.readonly_fields, "is_active") if own else self.readonly_fields

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = SuperAdminForm(posted(request))

        def run() -> str:
            given = form.cleaned_data
            user = User.objects.create_superuser(given["email"], given["password"], name=given["name"])
            self.log(request, [user], ADDITION, _("Created as super-admin."))
            return _("%(email)s can log in on this site now.") % {"email": user}

        return self.run_form(
            request,
            form=form,
            run=run,
            title=_("New super-admin"),
            submit=_("Create"),
            text=_(
                "A super-admin may do everything on this site. "
                "Members of organisations are invited in their organisation."
            ),
        )

    def has_set_password_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return self.admin_site.has_permission(request)

    @action(description=gettext_lazy("Set password"), url_path="password", icon="key", permissions=["set_password"])
    def set_password(self, request: HttpRequest, object_id: str) -> HttpResponse:
        user = self.object_or_404(request, object_id)
        form = PasswordForm(posted(request), user=user)

        def run() -> str:
            user.set_password(form.cleaned_data["password"])
            user.save(update_fields=["password"])
            self.log(request, [user], CHANGE, _("Password set by a super-admin."))
            return _("The password of %(email)s is changed; all their sessions have ended.") % {"email": user}

        return self.run_form(
            request,
            form=form,
            run=run,
            title=_("New password for %(email)s") % {"email": user},
            submit=_("Set password"),
            text=_("All sessions of this person end. Tell them the password over a safe way."),
            back=self.page_url("change", user.pk),
        )


@admin.register(SupportAccess, site=public_site)
class SupportAccessAdmin(ReadOnlyAdmin[SupportAccess]):
    list_display = ("organization", "user", "reason", "created_at", "entered_at", "expires_at", "address")
    list_select_related = ("organization", "user")
    list_filter = (("organization", admin.RelatedOnlyFieldListFilter),)
    search_fields = ("user__email", "organization__name", "reason")
    fields = ("organization", "user", "reason", "address", "created_at", "entered_at", "expires_at")
    empty_title = gettext_lazy("No visit yet")
    empty_text = gettext_lazy("When a super-admin enters an organisation, it is recorded here: who, why, when.")

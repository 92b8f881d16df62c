"""An organisation's members and invitations, for its owners and administrators."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.models import ADDITION, CHANGE, DELETION
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.services.credits import credits_limit_set
from campaigns.services.members import member_suspend
from config.admin_decorators import action, display
from config.admin_forms import ConfirmForm, ServiceForm, posted
from config.admin_sites import organization_of, organization_site
from tenants.admin.scoped import ScopedAdmin
from tenants.auth import role_here
from tenants.models import Invitation, Membership
from tenants.roles import PERMISSIONS, permissions_of
from tenants.services.memberships import (
    invitation_create,
    membership_change_role,
    membership_remove,
    membership_resume,
    membership_set_permissions,
)
from tenants.services.tokens import tokens_revoke

Role = Membership.Role
ROLE_MEANINGS = {
    Role.VIEWER: gettext_lazy("sees messages, channels and contacts"),
    Role.SENDER: gettext_lazy("also sends messages and edits contacts"),
    Role.MANAGER: gettext_lazy("also sets up channels and blocks addresses"),
    Role.ADMIN: gettext_lazy("also manages members, API keys and limits"),
    Role.OWNER: gettext_lazy("also edits the organisation's profile and names owners"),
}


class RoleForm(ServiceForm):
    """A role; only an owner may give the role of owner."""

    role = forms.ChoiceField(label=gettext_lazy("Role"), widget=forms.RadioSelect, initial=Role.VIEWER)

    def __init__(self, *args: Any, actor_role: str | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        given = [role for role in reversed(Role) if role != Role.OWNER or actor_role == Role.OWNER]
        self.fields["role"].choices = [(role.value, f"{role.label}: {ROLE_MEANINGS[role]}") for role in given]  # type: ignore[attr-defined]


class PermissionsForm(ServiceForm):
    """The role's permissions, or others in their place."""

    source = forms.ChoiceField(
        label=gettext_lazy("Permissions"),
        choices=[
            ("role", gettext_lazy("Those of the role")),
            ("own", gettext_lazy("Only those that are ticked below")),
        ],
        widget=forms.RadioSelect,
    )
    permissions = forms.MultipleChoiceField(
        label=gettext_lazy("Ticked"),
        choices=list(PERMISSIONS.items()),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )


class CreditLimitForm(ServiceForm):
    """How much the member may spend."""

    limit = forms.DecimalField(
        label=gettext_lazy("Credit limit"),
        required=False,
        min_value=0,
        max_digits=14,
        decimal_places=4,
        help_text=gettext_lazy("Empty: no limit of their own, the organisation pays."),
    )


class InvitationForm(RoleForm):
    """Who to invite, as what."""

    email = forms.EmailField(label=gettext_lazy("E-mail"))
    field_order = ("email", "role")


@admin.register(Membership, site=organization_site)
class MembershipAdmin(ScopedAdmin[Membership]):
    list_display = ("email", "person", "role_label", "permissions_label", "limit_label", "suspended", "created_at")
    list_filter = ("role", "is_suspended")
    list_select_related = ("user", "organization")
    search_fields = ("user__email", "user__name")
    search_help_text = gettext_lazy("E-mail or name")
    fields = (
        "email", "person", "role_label", "permissions_list", "limit_label", "suspended", "logins", "created_at",
    )  # fmt: skip
    readonly_fields = fields
    actions_detail = ("change_role", "change_permissions", "change_limit", "suspend", "resume", "log_out", "remove")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """People join by accepting an invitation."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @display(description=gettext_lazy("e-mail"), ordering="user__email")
    def email(self, obj: Membership) -> str:
        return obj.user.email

    @display(description=gettext_lazy("name"), ordering="user__name")
    def person(self, obj: Membership) -> str:
        return obj.user.name or "–"

    @display(description=gettext_lazy("role"), ordering="role", label={"owner": "primary", "admin": "info"})
    def role_label(self, obj: Membership) -> tuple[str, str]:
        return obj.role, obj.get_role_display()

    @display(description=gettext_lazy("access"), label={"yes": "danger", "no": "success"})
    def suspended(self, obj: Membership) -> tuple[str, str]:
        return ("yes", _("suspended")) if obj.is_suspended else ("no", _("active"))

    @display(description=gettext_lazy("permissions"), label={"own": "warning", "role": "default"})
    def permissions_label(self, obj: Membership) -> tuple[str, str]:
        return ("role", _("of the role")) if obj.permissions is None else ("own", _("own"))

    @display(description=gettext_lazy("permissions"))
    def permissions_list(self, obj: Membership) -> str:
        held = permissions_of(role=obj.role, own=obj.permissions)
        listed = ", ".join(str(text) for name, text in PERMISSIONS.items() if name in held) or _("None")
        return listed if obj.permissions is None else _("Own: %(permissions)s") % {"permissions": listed}

    @display(description=gettext_lazy("credit limit"), ordering="credit_limit")
    def limit_label(self, obj: Membership) -> str:
        return "–" if obj.credit_limit is None else f"{obj.credit_limit.normalize():f}"

    @display(description=gettext_lazy("logins to the API"))
    def logins(self, obj: Membership) -> str:
        return str(obj.tokens.filter(expires_at__gt=timezone.now()).count())

    def _may(self, request: HttpRequest, object_id: Any, codename: str) -> Membership | None:
        """The member, when this person's role may do `codename` and the member is no owner above them."""
        if not request.user.has_perm(f"tenants.{codename}_membership") or object_id is None:
            return None
        member = self.object_or_404(request, str(object_id))
        above = member.role == Role.OWNER and role_here(request.user) != Role.OWNER
        return None if above else member

    def has_change_role_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return self._may(request, object_id, "change") is not None

    def has_change_permissions_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        member = self._may(request, object_id, "change")
        return member is not None and member.role != Role.OWNER

    def has_change_limit_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return self.has_change_permissions_permission(request, object_id)

    def has_log_out_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        member = self._may(request, object_id, "change")
        return member is not None and member.tokens.exists()

    def has_suspend_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        member = self._may(request, object_id, "change")
        return member is not None and not member.is_suspended

    def has_resume_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        member = self._may(request, object_id, "change")
        return member is not None and member.is_suspended

    def has_remove_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return self._may(request, object_id, "delete") is not None

    @action(description=gettext_lazy("Change role"), url_path="role", icon="badge", permissions=["change_role"])
    def change_role(self, request: HttpRequest, object_id: str) -> HttpResponse:
        member = self.object_or_404(request, object_id)
        actor = role_here(request.user)
        form = RoleForm(posted(request), actor_role=actor, initial={"role": member.role})

        def run() -> str:
            membership_change_role(membership=member, role=form.cleaned_data["role"], actor_role=actor)
            self.log(request, [member], CHANGE, _("Role: %s") % member.get_role_display())
            return _("%(email)s is %(role)s now.") % {"email": member.user, "role": member.get_role_display()}

        return self.run_form(
            request,
            form=form,
            run=run,
            title=_("Role of %(email)s") % {"email": member.user},
            submit=_("Save"),
            text=_("It counts from their next click on."),
            back=self.page_url("change", member.pk),
        )

    @action(
        description=gettext_lazy("Permissions"),
        url_path="permissions",
        icon="rule",
        permissions=["change_permissions"],
    )
    def change_permissions(self, request: HttpRequest, object_id: str) -> HttpResponse:
        member = self.object_or_404(request, object_id)
        held = sorted(permissions_of(role=member.role, own=member.permissions))
        initial = {"source": "role" if member.permissions is None else "own", "permissions": held}
        form = PermissionsForm(posted(request), initial=initial)

        def run() -> str:
            own = form.cleaned_data["permissions"] if form.cleaned_data["source"] == "own" else None
            membership_set_permissions(membership=member, permissions=own, actor_role=role_here(request.user))
            self.log(request, [member], CHANGE, _("Permissions changed."))
            return _("The permissions of %(email)s are changed.") % {"email": member.user}

        return self.run_form(
            request,
            form=form,
            run=run,
            title=_("Permissions of %(email)s") % {"email": member.user},
            submit=_("Save"),
            text=_("They count here and in the marketing API, from the next click or request on."),
            back=self.page_url("change", member.pk),
        )

    @action(
        description=gettext_lazy("Credit limit"), url_path="credit-limit", icon="toll", permissions=["change_limit"]
    )
    def change_limit(self, request: HttpRequest, object_id: str) -> HttpResponse:
        member = self.object_or_404(request, object_id)
        form = CreditLimitForm(posted(request), initial={"limit": member.credit_limit})

        def run() -> str:
            credits_limit_set(membership=member, limit=form.cleaned_data["limit"])
            self.log(request, [member], CHANGE, _("Credit limit changed."))
            return _("The credit limit of %(email)s is changed.") % {"email": member.user}

        return self.run_form(
            request,
            form=form,
            run=run,
            title=_("Credit limit of %(email)s") % {"email": member.user},
            submit=_("Save"),
            text=_("What they used already counts. The credits come from the organisation's, when those are counted."),
            back=self.page_url("change", member.pk),
        )

    @action(description=gettext_lazy("Log out of the API"), url_path="log-out", icon="logout", permissions=["log_out"])
    def log_out(self, request: HttpRequest, object_id: str) -> HttpResponse:
        member = self.object_or_404(request, object_id)

        def run() -> str:
            tokens_revoke(membership=member)
            self.log(request, [member], CHANGE, _("Logged out of the API."))
            return _("%(email)s is logged out of the API everywhere.") % {"email": member.user}

        text = _("Programs that use their tokens are refused from the next request on.")
        return self._step(request, member, run, _("Log %(email)s out of the API"), _("Log out"), text)

    @action(description=gettext_lazy("Suspend"), url_path="suspend", icon="pause_circle", permissions=["suspend"])
    def suspend(self, request: HttpRequest, object_id: str) -> HttpResponse:
        member = self.object_or_404(request, object_id)

        def run() -> str:
            member_suspend(membership=member, actor_role=role_here(request.user))
            self.log(request, [member], CHANGE, _("Suspended."))
            return _("%(email)s cannot log in here any more.") % {"email": member.user}

        return self._step(
            request,
            member,
            run,
            _("Suspend %(email)s"),
            _("Suspend"),
            _("They are logged out at their next click, and campaigns that they made are paused. Nothing is undone."),
            danger=True,
        )

    @action(description=gettext_lazy("Let in again"), url_path="resume", icon="play_circle", permissions=["resume"])
    def resume(self, request: HttpRequest, object_id: str) -> HttpResponse:
        member = self.object_or_404(request, object_id)

        def run() -> str:
            membership_resume(membership=member, actor_role=role_here(request.user))
            self.log(request, [member], CHANGE, _("Let in again."))
            return _("%(email)s can log in again.") % {"email": member.user}

        return self._step(request, member, run, _("Let %(email)s in again"), _("Let in again"), "")

    @action(description=gettext_lazy("Remove"), url_path="remove", icon="person_remove", permissions=["remove"])
    def remove(self, request: HttpRequest, object_id: str) -> HttpResponse:
        member = self.object_or_404(request, object_id)
        email = member.user.email
        form = ConfirmForm(posted(request))

        def run() -> str:
            membership_remove(membership=member, actor_role=role_here(request.user))
            self.log(request, [Membership(pk=object_id, user=member.user, role=member.role)], DELETION, _("Removed."))
            return _("%(email)s is no member any more.") % {"email": email}

        return self.run_form(
            request,
            form=form,
            run=run,
            title=_("Remove %(email)s") % {"email": email},
            submit=_("Remove"),
            danger=True,
            text=_("They lose access at their next click. What they did stays in the history."),
        )

    def _step(
        self,
        request: HttpRequest,
        member: Membership,
        run: Any,
        title: str,
        submit: str,
        text: str,
        *,
        danger: bool = False,
    ) -> HttpResponse:
        return self.run_form(
            request,
            form=ConfirmForm(posted(request)),
            run=run,
            title=title % {"email": member.user},
            submit=submit,
            text=text,
            danger=danger,
            back=self.page_url("change", member.pk),
        )


@admin.register(Invitation, site=organization_site)
class InvitationAdmin(ScopedAdmin[Invitation]):
    list_display = ("email", "role_label", "state", "created_at", "expires_at", "inviter")
    list_select_related = ("invited_by",)
    search_fields = ("email",)
    fields = ("email", "role_label", "state", "created_at", "expires_at", "accepted_at", "inviter")
    empty_title = gettext_lazy("No invitation yet")
    empty_text = gettext_lazy("Invite a colleague: they get a link by e-mail that works once, for seven days.")

    @property
    def add_label(self) -> str:
        return _("Invite somebody")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Taking back an invitation closes its link; an accepted one is history."""
        return super().has_delete_permission(request, obj) and (obj is None or obj.accepted_at is None)

    @display(description=gettext_lazy("role"))
    def role_label(self, obj: Invitation) -> str:
        return obj.get_role_display()

    @display(description=gettext_lazy("state"), label={"open": "info", "accepted": "success", "expired": "warning"})
    def state(self, obj: Invitation) -> tuple[str, str]:
        if obj.accepted_at:
            return "accepted", _("accepted")
        return ("expired", _("expired")) if obj.expires_at <= timezone.now() else ("open", _("open"))

    @display(description=gettext_lazy("invited by"), ordering="invited_by__email")
    def inviter(self, obj: Invitation) -> str:
        return str(obj.invited_by) if obj.invited_by else "–"

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        actor = role_here(request.user)
        form = InvitationForm(posted(request), actor_role=actor)

        def run() -> str:
            invitation = invitation_create(
                organization=organization_of(request),
                email=form.cleaned_data["email"],
                role=form.cleaned_data["role"],
                invited_by=request.user,  # type: ignore[arg-type]
                actor_role=actor,
            )
            self.log(request, [invitation], ADDITION, _("Invited."))
            return _("An invitation is on its way to %(email)s.") % {"email": invitation.email}

        return self.run_form(
            request,
            form=form,
            run=run,
            title=_("Invite somebody"),
            submit=_("Send the invitation"),
            text=_("They get a link by e-mail. It works once and for seven days."),
        )

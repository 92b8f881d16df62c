"""Groups with their members: added by pasting numbers, taken out one by one or all that match."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.admin_base import HistoryAdmin
from config.admin_decorators import action
from config.admin_forms import ServiceForm, posted
from config.admin_sites import organization_of, organization_site
from contacts.admin.phone_fields import contacts_of_lines
from contacts.models import Group, GroupMember
from contacts.services.groups import group_create, group_delete, group_members_add, group_members_remove, group_update

_MEMBERS: Final = 50
_PASTED_MOST: Final = 10_000
if TYPE_CHECKING:
    _GroupForm = forms.ModelForm[Group]
else:
    _GroupForm = forms.ModelForm


class GroupForm(_GroupForm):
    """Name and description; names are one in any case."""

    class Meta:
        model = Group
        fields = ("name", "description")

    def clean_name(self) -> str:
        name = " ".join(self.cleaned_data["name"].split())
        if not name:
            raise forms.ValidationError(_("A group needs a name."))
        if Group.objects.filter(name__iexact=name).exclude(pk=self.instance.pk).exists():
            raise forms.ValidationError(_("There is a group of this name."))
        return name


class NumbersForm(ServiceForm):
    """Numbers of contacts, pasted from anywhere."""

    phones = forms.CharField(
        label=gettext_lazy("Phone numbers"),
        widget=forms.Textarea(attrs={"rows": 8}),
        help_text=gettext_lazy("One in a line, at most 10,000. Numbers that are no contacts are told."),
    )

    def __init__(self, *args: Any, country: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._country = country

    def clean_phones(self) -> list[int]:
        """The ids of the contacts; every line that is none is named."""
        return contacts_of_lines(self.cleaned_data["phones"], self._country, most=_PASTED_MOST)


@admin.register(Group, site=organization_site)
class GroupAdmin(HistoryAdmin[Group]):
    form = GroupForm
    list_display = ("name", "description", "member_count", "created_at")
    search_fields = ("name",)
    fields = ("name", "description", "member_count", "public_id")
    readonly_fields = ("member_count", "public_id")
    actions_detail = ("members_add", "members_remove")
    empty_title = gettext_lazy("No group yet")
    empty_text = gettext_lazy("Groups are lists of contacts; campaigns can go to them.")

    def save_model(self, request: HttpRequest, obj: Group, form: Any, change: bool) -> None:
        if change:
            group_update(group_id=obj.pk, name=obj.name, description=obj.description)
        else:
            made = group_create(name=obj.name, description=obj.description)
            obj.pk, obj.uuid = made.pk, made.uuid

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> list[Any]:
        """For the history; the services write the audit log."""
        return super(HistoryAdmin, self).construct_change_message(request, form, formsets, add)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """The same."""
        return super(HistoryAdmin, self).log_deletions(request, queryset)

    def delete_model(self, request: HttpRequest, obj: Group) -> None:
        group_delete(group_id=obj.pk)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Group]) -> None:
        for pk in queryset.values_list("pk", flat=True):
            group_delete(group_id=pk)

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[Any]]:
        """The groups alone: a list of a million memberships helps nobody."""
        return [str(group) for group in objs], {str(self.opts.verbose_name_plural): len(objs)}, set(), []

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        group = context.get("original")
        if group is not None:
            context |= _members_page(group, request)
        return super().render_change_form(request, context, *args, **kwargs)

    def has_members_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("contacts.change_group")

    @action(description=gettext_lazy("Add numbers"), url_path="members-add", icon="group_add", permissions=["members"])
    def members_add(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._members(request, object_id, is_adding=True)

    @action(
        description=gettext_lazy("Take numbers out"),
        url_path="members-remove",
        icon="group_remove",
        permissions=["members"],
    )
    def members_remove(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._members(request, object_id, is_adding=False)

    def _members(self, request: HttpRequest, object_id: str, *, is_adding: bool) -> HttpResponse:
        group = self.object_or_404(request, object_id)
        form = NumbersForm(posted(request), country=organization_of(request).default_country)

        def run() -> str:
            change = group_members_add if is_adding else group_members_remove
            number = change(group_id=group.pk, contact_ids=form.cleaned_data["phones"])
            text = _("%(number)s joined.") if is_adding else _("%(number)s left.")
            return text % {"number": number}

        return self.run_form(
            request,
            form=form,
            run=run,
            title=str(group),
            submit=_("Add") if is_adding else _("Take out"),
            back=self.page_url("change", group.pk),
        )


def _members_page(group: Group, request: HttpRequest) -> dict[str, Any]:
    """Members in the order of their contacts, by the unique index (group, contact): every page costs the same."""
    after = request.GET.get("after", "")
    start = int(after) if after.isascii() and after.isdigit() and len(after) <= 18 else 0
    members = GroupMember.objects.filter(group_id=group.pk, contact_id__gt=start).select_related("contact")
    rows = list(members.order_by("contact_id")[: _MEMBERS + 1])
    more = rows[_MEMBERS - 1].contact_id if len(rows) > _MEMBERS else None
    return {"members": [row.contact for row in rows[:_MEMBERS]], "members_after": start, "members_more": more}

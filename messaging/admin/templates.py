"""Templates: what the provider has approved, a form with a live preview, reading them again, deleting by name."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.contrib import admin
from django.contrib.admin.models import ADDITION, DELETION
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.admin_base import HistoryAdmin, ReadOnlyAdmin
from config.admin_decorators import action, display
from config.admin_forms import ConfirmForm, ServiceForm, posted
from config.admin_sites import organization_site
from messaging.drivers.base import Capability
from messaging.drivers.registry import drivers
from messaging.models import Channel, MessageTemplate
from messaging.services.templates import template_create, template_delete, templates_sync
from tenants.errors import Conflict, InvalidInput

COLOURS = {
    MessageTemplate.Status.APPROVED: "success",
    MessageTemplate.Status.PENDING: "info",
    MessageTemplate.Status.IN_APPEAL: "info",
    MessageTemplate.Status.REJECTED: "danger",
    MessageTemplate.Status.PAUSED: "danger",
    MessageTemplate.Status.DISABLED: "danger",
}


class ChannelForm(ServiceForm):
    """Which channel's account; only those whose provider has templates."""

    channel = forms.ModelChoiceField(label=gettext_lazy("Channel"), queryset=Channel.objects.none(), empty_label=None)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        kinds = [kind for kind, driver in drivers().items() if Capability.TEMPLATE in driver.capabilities]
        channels = Channel.objects.filter(kind__in=kinds).exclude(account_id="")
        self.fields["channel"].queryset = channels  # type: ignore[attr-defined]


class TemplateForm(ChannelForm):
    """A new template with text parts and buttons; other structures go through the API."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=512, help_text=gettext_lazy("a-z, 0-9 and _ only."))
    language = forms.CharField(
        label=gettext_lazy("Language"), max_length=16, help_text=gettext_lazy("Such as fr or en_US.")
    )
    category = forms.ChoiceField(label=gettext_lazy("Category"), choices=MessageTemplate.Category.choices)
    header = forms.CharField(label=gettext_lazy("Header"), required=False, max_length=60)
    body = forms.CharField(
        label=gettext_lazy("Text"),
        required=False,
        max_length=1024,
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text=gettext_lazy("{{1}}, {{2}} … stand for values. Leave it empty for one-time passwords."),
    )
    footer = forms.CharField(label=gettext_lazy("Footer"), required=False, max_length=60)
    replies = forms.CharField(
        label=gettext_lazy("Quick replies"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("One per line, 25 characters each, ten at most."),
    )
    link_text = forms.CharField(label=gettext_lazy("Text of the link button"), required=False, max_length=25)
    link_url = forms.CharField(
        label=gettext_lazy("Address of the link button"),
        required=False,
        max_length=2000,
        help_text=gettext_lazy("May end with {{1}}."),
    )

    def components(self) -> list[dict[str, Any]]:
        """The template as the provider takes it."""
        given = self.cleaned_data
        if given["category"] == MessageTemplate.Category.AUTHENTICATION:
            button = {"type": "OTP", "otp_type": "COPY_CODE"}
            return [
                {"type": "BODY", "add_security_recommendation": True},
                {"type": "BUTTONS", "buttons": [button]},
            ]
        parts: list[dict[str, Any]] = []
        if given["header"]:
            parts.append({"type": "HEADER", "format": "TEXT", "text": given["header"]})
        parts.append({"type": "BODY", "text": given["body"]})
        if given["footer"]:
            parts.append({"type": "FOOTER", "text": given["footer"]})
        buttons = [
            {"type": "QUICK_REPLY", "text": line.strip()} for line in given["replies"].splitlines() if line.strip()
        ]
        if given["link_text"] or given["link_url"]:
            link = {"type": "URL", "text": given["link_text"], "url": given["link_url"]}
            example = given["link_url"].replace("{{1}}", "example")
            buttons.append(link | ({"example": [example]} if "{{" in given["link_url"] else {}))
        return [*parts, {"type": "BUTTONS", "buttons": buttons}] if buttons else parts

    def in_own_words(self, error: InvalidInput) -> InvalidInput:
        """`error` with the paths of components (`components.1.text`) as fields of this form."""
        kinds = [part["type"] for part in self.components()]
        fields: dict[str, str] = {}
        for path, text in error.fields.items():
            first, _dot, rest = path.partition(".")
            index = rest.partition(".")[0]
            known = first == "components" and index.isdigit() and int(index) < len(kinds)
            name = _FIELD_OF_PART[kinds[int(index)]] if known else "body" if first == "components" else first
            fields[name] = f"{fields[name]}; {text}" if name in fields else text
        return InvalidInput(error.code, error.message, fields)


_FIELD_OF_PART: Final = {"HEADER": "header", "BODY": "body", "FOOTER": "footer", "BUTTONS": "replies"}


_FORMATS: Final[dict[str, Any]] = {
    "POSITIONAL": gettext_lazy("numbered: {{1}}, {{2}} …"),
    "NAMED": gettext_lazy("named: {{first_name}} …"),
}


def _category_text(category: str) -> str:
    """A category in words; one that the provider has invented since, as it comes."""
    known = category in MessageTemplate.Category.values
    return str(MessageTemplate.Category(category).label) if known else category or "–"


@admin.register(MessageTemplate, site=organization_site)
class TemplateAdmin(HistoryAdmin[MessageTemplate], ReadOnlyAdmin[MessageTemplate]):
    list_display = (
        "name",
        "language",
        "status_label",
        "category_label",
        "quality",
        "account_id",
        "status_at",
        "reason",
    )
    list_filter = ("status", "category")
    search_fields = ("name",)
    search_help_text = gettext_lazy("Name")
    ordering = ("name", "language")
    fieldsets = (
        (None, {"fields": ("name", "language", "status_label", "reason", "status_at", "preview")}),
        (
            gettext_lazy("Details"),
            {
                "fields": (
                    "category_label",
                    "previous_label",
                    "next_label",
                    "quality",
                    "variables",
                    "account_id",
                    "provider_id",
                    "public_id",
                    "created_at",
                )
            },
        ),
    )
    actions_list = ("sync",)
    actions_detail = ("remove",)
    empty_title = gettext_lazy("No template yet")
    empty_text = gettext_lazy(
        "Outside of the 24 hours after a customer's message only approved templates can be sent. "
        "Create one, or read those that your account has already."
    )

    @property
    def add_label(self) -> str:
        return _("Create a template")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("messaging.add_messagetemplate")

    @display(description=gettext_lazy("variables"))
    def variables(self, obj: MessageTemplate) -> str:
        """How the values of its text are named."""
        return str(_FORMATS.get(obj.parameter_format, obj.parameter_format)) or "–"

    @display(description=gettext_lazy("status"), ordering="status", label=COLOURS)
    def status_label(self, obj: MessageTemplate) -> tuple[str, str]:
        known = obj.status in MessageTemplate.Status.values
        return obj.status, str(MessageTemplate.Status(obj.status).label) if known else obj.status

    @display(description=gettext_lazy("category"), ordering="category")
    def category_label(self, obj: MessageTemplate) -> str:
        return _category_text(obj.category)

    @display(description=gettext_lazy("previous category"))
    def previous_label(self, obj: MessageTemplate) -> str:
        return _category_text(obj.previous_category)

    @display(description=gettext_lazy("announced category"))
    def next_label(self, obj: MessageTemplate) -> str:
        return _category_text(obj.next_category)

    @display(description=gettext_lazy("preview"))
    def preview(self, obj: MessageTemplate) -> str:
        """How a customer sees it, with the variables as they are."""
        lines = []
        for part in obj.components:
            if part.get("text"):
                lines.append(str(part["text"]))
            elif part.get("format"):
                lines.append(f"[{part['format']}]")
            lines += [f"▸ {button.get('text') or button.get('type')}" for button in part.get("buttons") or []]
        return format_html(
            '<div class="gr-bubble">{}</div>', format_html_join("", "<p>{}</p>", ((line,) for line in lines))
        )

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = TemplateForm(posted(request))

        def run() -> str:
            given = form.cleaned_data
            try:
                template = template_create(
                    channel=given["channel"],
                    name=given["name"],
                    language=given["language"],
                    category=given["category"],
                    components=form.components(),
                )
            except InvalidInput as error:
                raise form.in_own_words(error) from error
            self.log(request, [template], ADDITION, _("Submitted for review."))
            return _("%(name)s is submitted. The review takes minutes, sometimes a day.") % {"name": template}

        return self.run_form(
            request,
            form=form,
            run=run,
            title=_("New template"),
            submit=_("Submit for review"),
            text=_("Every rule of the provider is checked before it is submitted."),
            template="admin/template_add.html",
        )

    def has_sync_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("messaging.change_messagetemplate")

    @action(description=gettext_lazy("Read from the provider"), url_path="sync", icon="sync", permissions=["sync"])
    def sync(self, request: HttpRequest) -> HttpResponse:
        form = ChannelForm(posted(request))

        def run() -> str:
            done = templates_sync(channel=form.cleaned_data["channel"])
            return _("%(added)s new, %(changed)s changed, %(removed)s gone.") % {
                "added": done.added,
                "changed": done.changed,
                "removed": done.removed,
            }

        return self.run_form(
            request,
            form=form,
            run=run,
            title=_("Read the templates from the provider"),
            submit=_("Read now"),
            text=_("All templates of the channel's account. Those that are gone there are marked as deleted here."),
        )

    def has_remove_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        if not request.user.has_perm("messaging.delete_messagetemplate"):
            return False
        return object_id is None or self.object_or_404(request, str(object_id)).status != MessageTemplate.Status.DELETED

    @action(description=gettext_lazy("Delete"), url_path="remove", icon="delete", permissions=["remove"])
    def remove(self, request: HttpRequest, object_id: str) -> HttpResponse:
        template = self.object_or_404(request, object_id)

        def run() -> str:
            channel = Channel.objects.filter(kind=template.kind, account_id=template.account_id).first()
            if channel is None:
                raise Conflict("channel_missing", _("No channel of this account is connected any more."))
            languages = template_delete(channel=channel, name=template.name)
            self.log(request, [template], DELETION, _("Deleted in: %s") % ", ".join(languages))
            return _("%(name)s is deleted.") % {"name": template.name}

        return self.run_form(
            request,
            form=ConfirmForm(posted(request)),
            run=run,
            title=_("Delete %(name)s") % {"name": template.name},
            submit=_("Delete in all languages"),
            danger=True,
            text=_(
                "It is deleted at the provider too, in all its languages. The name of an approved template cannot be "
                "used again for 30 days. Campaigns that use it stop."
            ),
            back=self.page_url("change", template.pk),
        )

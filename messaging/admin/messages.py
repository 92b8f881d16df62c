"""The message list, one message explained, and sending by hand."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.contrib import messages as notices
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.models import ADDITION, CHANGE
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.amounts import amount_text
from config.admin_base import BigTableAdmin, HistoryAdmin, ReadOnlyAdmin
from config.admin_decorators import action, display
from config.admin_forms import ConfirmForm, posted
from config.admin_sites import organization_of, organization_site
from config.reasons import reason_said
from messaging.admin.cost import cost_context, is_charged
from messaging.admin.files import files_of
from messaging.admin.message_filters import ChannelFilter, StatusFilter
from messaging.admin.phone_search import address_query
from messaging.admin.send_form import SendForm
from messaging.admin.story import STATUS_COLOURS, message_advice, message_story
from messaging.admin.text_cost import texting_channels
from messaging.content import content_preview
from messaging.media.files import file_create, file_remove
from messaging.models import Channel, MediaFile, Message, SendAttempt
from messaging.models.message import PRIORITY_CONVERSATION
from messaging.services.accept import Draft, message_accept
from messaging.services.channels import ChannelSnapshot, channel_by_uuid
from messaging.services.messages import message_cancel, message_retry
from messaging.services.reading import message_mark_read
from tenants.auth import own_history_of
from tenants.errors import ServiceError

_ATTEMPTS_SHOWN = 50
_REFUSALS_SHOWN = 10
# Who may send may also take back and send again.
_SEND = "messaging.add_message"


@admin.register(Message, site=organization_site)
class MessageAdmin(HistoryAdmin[Message], ReadOnlyAdmin[Message], BigTableAdmin[Message]):
    list_display = ("when", "status_label", "channel", "customer", "preview", "error_head")
    list_select_related = ("channel", "contact")
    list_filter = (StatusFilter, ChannelFilter)
    search_fields = ("uuid",)
    search_help_text = gettext_lazy("Phone number or its beginning, message id, provider's id")
    fieldsets = (
        (None, {"fields": ("direction", "channel", "customer", "origin", "type", "attempts")}),
        (
            gettext_lazy("Technical"),
            {
                "fields": (
                    "public_id",
                    "provider_id",
                    "bulk_uuid",
                    "priority",
                    "expires_at",
                    "error_code",
                    "credits",
                    "raw_content",
                ),
                "classes": ("collapse",),
            },
        ),
    )
    actions = ("cancel_selected", "retry_selected")
    actions_detail = ("cancel", "retry", "mark_read")
    empty_title = gettext_lazy("No message yet")
    empty_text = gettext_lazy("Send one here, through the API, or write to one of your numbers.")

    @property
    def add_label(self) -> str:
        return _("Send a message")

    def get_urls(self) -> list[URLPattern]:
        cost = path("cost/", self.admin_site.admin_view(self.cost_view), name="messaging_message_cost")
        return [cost, *super().get_urls()]

    def cost_view(self, request: HttpRequest) -> HttpResponse:
        """What the message in the form would cost. Needs the right to send."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        context = cost_context(organization=organization_of(request), given=request.POST.dict())
        return TemplateResponse(request, "admin/message_cost.html", context)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(_SEND)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Message]:
        """Senders see what they sent themselves; lists, pages and actions all begin here."""
        rows, own = super().get_queryset(request), own_history_of(request.user)
        return rows if own is None else rows.filter(membership_id=own)

    def search_indexed(self, request: HttpRequest, queryset: QuerySet[Message], term: str) -> QuerySet[Message]:
        if (uuid := _uuid(term)) is not None:
            return queryset.filter(Q(uuid=uuid) | Q(bulk_uuid=uuid))
        phone = address_query("address", term, organization_of(request).default_country)
        if phone is not None:
            return queryset.filter(phone)
        # The unique index begins with the channel.
        channels = list(Channel.objects.values_list("pk", flat=True))
        return queryset.filter(Q(channel_id__in=channels, provider_id=term) | Q(address=term))

    @display(description=gettext_lazy("time"))
    def when(self, obj: Message) -> str:
        return date_format(timezone.localtime(obj.queued_at), "j M H:i:s")

    @display(description=gettext_lazy("status"), label=STATUS_COLOURS)
    def status_label(self, obj: Message) -> tuple[str, str]:
        return obj.status, obj.get_status_display()

    @display(description=gettext_lazy("customer"))
    def customer(self, obj: Message) -> str:
        return customer_html(obj)

    @display(description=gettext_lazy("text"))
    def preview(self, obj: Message) -> str:
        return format_html(
            '<span class="gr-clip">{}</span>', content_preview(obj.content, is_sensitive=obj.is_sensitive)
        )

    @display(description=gettext_lazy("error"))
    def error_head(self, obj: Message) -> str:
        return (
            format_html('<span class="gr-clip gr-short" title="{0}">{0}</span>', reason_said(obj.error_reason))
            if obj.error_reason
            else ""
        )

    @display(description=gettext_lazy("credits"))
    def credits(self, obj: Message) -> str:
        state = dict(Message.CreditState.choices).get(obj.credit_state or "")
        return "–" if obj.price is None else f"{amount_text(obj.price)} · {state}"

    @display(description=gettext_lazy("content"))
    def raw_content(self, obj: Message) -> str:
        if obj.is_sensitive:
            return _("Hidden: a one-time password is never shown.")
        return format_html('<code class="gr-code">{}</code>', json.dumps(obj.content, ensure_ascii=False, indent=2))

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        message: Message = context["original"]
        attempts = list(SendAttempt.objects.filter(message_id=message.pk).order_by("id")[:_ATTEMPTS_SHOWN])
        shown = files_of(message_ids=[message.pk], organization_uuid=organization_of(request).uuid)
        context |= {
            "files": shown.get(message.pk, []),
            "story": message_story(message, attempts),
            "advice": message_advice(message),
            "body_text": content_preview(message.content, is_sensitive=message.is_sensitive, limit=4096),
            "status_colour": STATUS_COLOURS[Message.Status(message.status)],
            "title": _("Message to %(address)s") % {"address": address_text(message.address)}
            if message.direction == Message.Direction.OUT
            else _("Message from %(address)s") % {"address": address_text(message.address)},
            "subtitle": None,
        }
        return super().render_change_form(request, context, *args, **kwargs)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Message | None:
        """With channel and contact, which every page shows."""
        if not (object_id.isascii() and object_id.isdigit()):
            return None
        return self.get_queryset(request).select_related("channel", "contact").filter(pk=int(object_id)).first()

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """The form that sends a text or a file; `?to=` and `?channel=` fill it."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = SendForm(
            posted(request),
            request.FILES or None,
            initial={"save_contact": True, **{k: request.GET[k] for k in ("to", "channel") if k in request.GET}},
        )
        if request.method == "POST" and form.is_valid():
            with form.service_errors():
                sent = self._send(request, form)
            if form.is_valid():
                self.log(request, [sent], ADDITION, _("Sent by hand."))
                notices.success(request, _("The message is on its way."))
                return HttpResponseRedirect(self.page_url("change", sent.pk))
        return self.form_page(
            request,
            form=form,
            title=_("Send a message"),
            submit=_("Send"),
            no_channel=not form.fields["channel"].queryset.exists(),  # type: ignore[attr-defined]
            template="admin/send_message.html",
            shows_cost=is_charged() or texting_channels(),
        )

    def _send(self, request: HttpRequest, form: SendForm) -> Message:
        organization, given = organization_of(request), form.cleaned_data
        channel = channel_by_uuid(schema=organization.schema_name, uuid=given["channel"].uuid)
        file = _file_of(form, channel)
        try:
            with transaction.atomic():
                accepted = message_accept(
                    organization=organization,
                    channel=channel,
                    draft=Draft(to=given["to"], content=_content(given["text"], file)),
                    origin=Message.Origin.ADMIN,
                    priority=PRIORITY_CONVERSATION,
                    by_person=True,
                    save_contact=given["save_contact"],
                )
        except ServiceError:
            if file is not None:
                file_remove(file, reason="The message that it was for was refused.")
            raise
        return Message.objects.get(uuid=accepted.uuid)

    def has_cancel_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        if not request.user.has_perm(_SEND) or object_id is None:
            return request.user.has_perm(_SEND)
        return can_cancel(self.object_or_404(request, str(object_id)))

    def has_retry_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        if not request.user.has_perm(_SEND) or object_id is None:
            return request.user.has_perm(_SEND)
        return can_retry(self.object_or_404(request, str(object_id)))

    @action(description=gettext_lazy("Cancel"), url_path="cancel", icon="cancel", permissions=["cancel"])
    def cancel(self, request: HttpRequest, object_id: str) -> HttpResponse:
        message = self.object_or_404(request, object_id)

        def run() -> str:
            message_cancel(message_uuid=message.uuid)
            self.log(request, [message], CHANGE, _("Cancelled."))
            return _("The message is cancelled.")

        return self.run_form(
            request,
            form=ConfirmForm(posted(request)),
            run=run,
            title=_("Cancel this message"),
            submit=_("Cancel the message"),
            text=_("It is not sent. If it leaves in this very moment, you are told so."),
            danger=True,
            back=self.page_url("change", message.pk),
        )

    @action(description=gettext_lazy("Send again"), url_path="retry", icon="replay", permissions=["retry"])
    def retry(self, request: HttpRequest, object_id: str) -> HttpResponse:
        message = self.object_or_404(request, object_id)

        def run() -> str:
            message_retry(message_uuid=message.uuid)
            self.log(request, [message], CHANGE, _("Sent again."))
            return _("The message is in the queue again.")

        return self.run_form(
            request,
            form=ConfirmForm(posted(request)),
            run=run,
            title=_("Send this message again"),
            submit=_("Send again"),
            text=_("The same text goes to the same number. It counts as a message of your plan and may cost again."),
            back=self.page_url("change", message.pk),
        )

    def has_mark_read_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        if not request.user.has_perm(_SEND) or object_id is None:
            return request.user.has_perm(_SEND)
        message = self.object_or_404(request, str(object_id))
        return message.direction == Message.Direction.IN and message.read_at is None

    @action(description=gettext_lazy("Mark as read"), url_path="mark-read", icon="done_all", permissions=["mark_read"])
    def mark_read(self, request: HttpRequest, object_id: str) -> HttpResponse:
        message = self.object_or_404(request, object_id)

        def run() -> str:
            message_mark_read(message_uuid=message.uuid)
            self.log(request, [message], CHANGE, _("Marked as read."))
            return _("The customer sees that the message was read.")

        return self.run_form(
            request,
            form=ConfirmForm(posted(request)),
            run=run,
            title=_("Mark this message as read"),
            submit=_("Mark as read"),
            text=_("The customer sees it on their phone, for this message and the earlier ones."),
            back=self.page_url("change", message.pk),
        )

    @action(description=gettext_lazy("Cancel"), permissions=["cancel"])
    def cancel_selected(self, request: HttpRequest, queryset: QuerySet[Message]) -> HttpResponse | None:
        return self._each(
            request,
            queryset,
            "cancel_selected",
            message_cancel,
            title=_("Cancel these messages"),
            submit=_("Cancel them"),
            done=_("%(count)s cancelled."),
            note=_("Cancelled."),
        )

    @action(description=gettext_lazy("Send again"), permissions=["retry"])
    def retry_selected(self, request: HttpRequest, queryset: QuerySet[Message]) -> HttpResponse | None:
        return self._each(
            request,
            queryset,
            "retry_selected",
            message_retry,
            title=_("Send these messages again"),
            submit=_("Send them again"),
            done=_("%(count)s in the queue again."),
            note=_("Sent again."),
        )

    def _each(
        self,
        request: HttpRequest,
        queryset: QuerySet[Message],
        name: str,
        service: Any,
        *,
        title: str,
        submit: str,
        done: str,
        note: str,
    ) -> HttpResponse | None:
        """Ask first; then one call per message, so that one refusal does not stop the others, and each is told."""
        rows = list(queryset.select_related("channel"))
        if request.POST.get("confirmed") != "yes":
            return self.form_page(
                request,
                form=ConfirmForm(),
                title=title,
                submit=submit,
                subjects=[f"{address_text(row.address)}: {row.get_status_display()}" for row in rows],
                hidden_values=[
                    ("action", name),
                    ("confirmed", "yes"),
                    *((ACTION_CHECKBOX_NAME, row.pk) for row in rows),
                ],
            )
        changed, refusals = [], []
        for row in rows:
            try:
                service(message_uuid=row.uuid)
            except ServiceError as error:
                refusals.append(f"{address_text(row.address)}: {error.message}")
            else:
                changed.append(row)
        if changed:
            self.log(request, changed, CHANGE, note)
            notices.success(request, done % {"count": len(changed)})
        for refusal in refusals[:_REFUSALS_SHOWN]:
            notices.error(request, refusal)
        if len(refusals) > _REFUSALS_SHOWN:
            notices.error(request, _("and %(count)s more.") % {"count": len(refusals) - _REFUSALS_SHOWN})
        return None

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        response = super().changelist_view(request, extra_context)
        if isinstance(response, TemplateResponse) and response.context_data and "cl" in response.context_data:
            response.context_data["title"] = _("Messages")
        return response


def can_cancel(message: Message) -> bool:
    """Whether it has not left yet."""
    return message.status in {Message.Status.QUEUED, Message.Status.SCHEDULED}


def can_retry(message: Message) -> bool:
    """Whether it failed and still has its content: that of one-time passwords is blanked."""
    return message.status == Message.Status.FAILED and not message.is_sensitive


def address_text(address: str) -> str:
    """The customer's number with its plus; a provider's id as it is."""
    return f"+{address}" if address.isdigit() and len(address) <= 15 else address


def customer_html(message: Message) -> str:
    """Number and name, linked to the contact when there is one."""
    if message.contact is None:
        return address_text(message.address)
    url = reverse("admin:contacts_contact_change", args=[message.contact_id])
    name = message.contact.name
    return format_html(
        '<a class="text-link" href="{}">{}</a>{}', url, address_text(message.address), f" {name}" if name else ""
    )


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text) if len(text) >= 32 else None
    except ValueError:
        return None


def _file_of(form: SendForm, channel: ChannelSnapshot) -> MediaFile | None:
    """The form's file, checked and kept; None without one. Raises `InvalidInput` for one that is not taken."""
    upload = form.cleaned_data["file"]
    if not upload:
        return None
    return file_create(
        source=upload.file,
        kind=form.file_kind,
        declared=upload.content_type or "",
        filename=upload.name or "",
        limits=channel.driver.media_limits,
    )


def _content(text: str, file: MediaFile | None) -> dict[str, Any]:
    if file is None:
        return {"type": "text", "text": {"body": text}}
    part = {"file": str(file.uuid)}
    if text:
        part["caption"] = text
    if file.kind == "document":
        part["filename"] = file.filename
    return {"type": file.kind, file.kind: part}

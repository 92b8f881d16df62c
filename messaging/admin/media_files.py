"""The files that messages came with or that were kept to be sent: where each one is, and its content."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.admin_base import BigTableAdmin, ReadOnlyAdmin
from config.admin_decorators import display
from config.admin_sites import organization_of, organization_site
from config.reasons import reason_said
from messaging.admin.message_filters import RECENT
from messaging.media.links import media_url
from messaging.models import MediaFile
from tenants.auth import own_history_of

State = MediaFile.State
STATE_COLOURS: Final = {
    State.PENDING: "info",
    State.STORED: "success",
    State.REFUSED: "danger",
    State.FAILED: "danger",
    State.REMOVED: "default",
}
KINDS: Final[dict[str, Any]] = {
    "image": gettext_lazy("Picture"),
    "video": gettext_lazy("Video"),
    "audio": gettext_lazy("Recording"),
    "document": gettext_lazy("Document"),
    "sticker": gettext_lazy("Sticker"),
}


class StateFilter(admin.SimpleListFilter):
    """By state among the newest files: no index knows the states, and most files are stored."""

    title = gettext_lazy("state")
    parameter_name = "state"
    window_note = ""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(State.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[MediaFile]) -> QuerySet[MediaFile]:
        wanted = self.value()
        if wanted not in State.values:
            return queryset
        found = queryset.filter(state=wanted)
        newest = MediaFile.objects.order_by("-id").values_list("id", flat=True).first() or 0
        if newest <= RECENT:
            return found
        self.window_note = _("among the newest %(count)s") % {"count": number_format(RECENT, force_grouping=True)}
        return found.filter(pk__gt=newest - RECENT)


@admin.register(MediaFile, site=organization_site)
class MediaFileAdmin(ReadOnlyAdmin[MediaFile], BigTableAdmin[MediaFile]):
    list_display = ("name", "state_label", "mime_type", "bytes", "origin", "created_at")
    list_filter = (StateFilter,)
    list_select_related = ("channel",)
    search_fields = ("uuid",)
    search_help_text = gettext_lazy("The file's id")
    fieldsets = (
        (None, {"fields": ("name", "content", "state_label", "why", "kind_label", "mime_type", "bytes")}),
        (gettext_lazy("Where it is from"), {"fields": ("origin", "message_link", "created_at", "stored_at")}),
        (gettext_lazy("Technical"), {"fields": ("public_id", "sha256", "attempts"), "classes": ("collapse",)}),
    )
    empty_title = gettext_lazy("No files yet")
    empty_text = gettext_lazy(
        "Pictures, documents and recordings that customers send are kept here, and what you upload to send it."
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[MediaFile]:
        """Nothing for senders, whatever permissions of their own they have: these are files of everybody's messages."""
        rows = super().get_queryset(request)
        return rows if own_history_of(request.user) is None else rows.none()

    def search_indexed(self, request: HttpRequest, queryset: QuerySet[MediaFile], term: str) -> QuerySet[MediaFile]:
        try:
            return queryset.filter(uuid=UUID(term))
        except ValueError:
            return queryset.none()

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> MediaFile | None:
        found: Any = super().get_object(request, object_id, from_field)
        if found is not None and found.state == State.STORED:
            found.url = media_url(organization_uuid=organization_of(request).uuid, file_uuid=found.uuid)
        return found  # type: ignore[no-any-return]

    @display(description=gettext_lazy("file"))
    def name(self, obj: MediaFile) -> str:
        return obj.filename or str(KINDS.get(obj.kind, obj.kind))

    @display(description=gettext_lazy("state"), label=STATE_COLOURS)
    def state_label(self, obj: MediaFile) -> tuple[str, str]:
        return obj.state, obj.get_state_display()

    @display(description=gettext_lazy("reason"))
    def why(self, obj: MediaFile) -> str:
        return reason_said(obj.reason) or "–"

    @display(description=gettext_lazy("kind"))
    def kind_label(self, obj: MediaFile) -> str:
        return str(KINDS.get(obj.kind, obj.kind))

    @display(description=gettext_lazy("size"))
    def bytes(self, obj: MediaFile) -> str:
        return filesizeformat(obj.size) if obj.size else "–"

    @display(description=gettext_lazy("from"))
    def origin(self, obj: MediaFile) -> str:
        """The channel on which it came in; what was not received was uploaded."""
        return str(obj.channel) if obj.channel else _("uploaded here")

    @display(description=gettext_lazy("message"))
    def message_link(self, obj: MediaFile) -> str:
        if obj.message_id is None:
            return "–"
        address = reverse("admin:messaging_message_change", args=[obj.message_id])
        return format_html('<a class="text-link" href="{}">{}</a>', address, _("Show the message"))

    @display(description=gettext_lazy("content"))
    def content(self, obj: Any) -> str:
        """A link that works for some minutes; pictures are shown."""
        url = getattr(obj, "url", "")
        if not url:
            return "–"
        if obj.mime_type.startswith("image/"):
            return format_html('<a href="{0}"><img src="{0}" alt="" style="max-height: 16rem"></a>', url)
        return format_html('<a class="text-link" href="{}">{}</a>', url, _("Open"))

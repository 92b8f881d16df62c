"""The form that sends a text or a file."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from django import forms
from django.utils.translation import gettext_lazy as _

from config.admin_forms import ServiceForm
from messaging.models import Channel

FILE_KINDS: Final = ("image", "video", "audio", "document")


class SendForm(ServiceForm):
    """Who to, through which channel, what."""

    channel = forms.ModelChoiceField(label=_("Channel"), queryset=Channel.objects.none(), empty_label=None)
    to = forms.CharField(
        label=_("Recipient"),
        max_length=128,
        help_text=_(
            "A phone number with the country code (+229…), or as dialled in your default country. On Messenger and "
            "Instagram the person's id, which the contact shows."
        ),
    )
    text = forms.CharField(
        label=_("Text"),
        max_length=4096,
        required=False,
        widget=forms.Textarea(attrs={"rows": 6}),
        help_text=_("Free text reaches customers who have written within the last 24 hours. With a file: its caption."),
    )
    file = forms.FileField(
        label=_("File"),
        required=False,
        help_text=_("A picture, video, recording or document, up to what the channel allows."),
    )
    save_contact = forms.BooleanField(label=_("Keep the recipient as a contact"), required=False, initial=True)

    field_aliases: ClassVar[dict[str, str]] = {
        "text.body": "text",
        "body": "text",
        **{f"{kind}.{name}": "text" for kind in FILE_KINDS for name in ("caption", "body")},
        **dict.fromkeys(FILE_KINDS, "file"),
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["channel"].queryset = Channel.objects.filter(status=Channel.Status.CONNECTED)  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        file = given.get("file")
        if not file and not (given.get("text") or "").strip() and "text" not in self.errors:
            self.add_error("text", _("Write a text or choose a file."))
        if file and given.get("text") and self.file_kind == "audio":
            self.add_error("text", _("Recordings have no caption. Send the text by itself."))
        return given

    @property
    def file_kind(self) -> str:
        """What the chosen file is sent as: by its type as the browser says it; everything unknown is a document."""
        family = (self.cleaned_data["file"].content_type or "").partition("/")[0]
        return family if family in FILE_KINDS else "document"

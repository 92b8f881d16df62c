"""What people write to stop and to resume."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminTextareaWidget

from config.admin_base import SingleRowAdmin
from config.admin_sites import organization_site
from contacts.models import OptOutPolicy
from contacts.stop_words import WORD_LENGTH, word_normalise


class WordsField(forms.CharField):
    """Words, one in a line; kept in the form in which texts are compared with them."""

    widget = UnfoldAdminTextareaWidget

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def clean(self, value: Any) -> Any:
        lines = [line.strip() for line in str(super().clean(value)).splitlines() if line.strip()]
        words = {line: word_normalise(line) for line in lines}
        bad = next((line for line, word in words.items() if not word), None)
        if bad is not None:
            text = _("“%(word)s” has no letters, or more than %(most)s.") % {"word": bad[:60], "most": WORD_LENGTH}
            raise forms.ValidationError(text)
        return sorted(set(words.values()))

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(self.prepare_value(initial), str(data or "").replace("\r\n", "\n").strip())


if TYPE_CHECKING:
    _OptOutPolicyForm = forms.ModelForm[OptOutPolicy]
else:
    _OptOutPolicyForm = forms.ModelForm


class OptOutPolicyForm(_OptOutPolicyForm):
    """The words as lines; none may both stop and resume."""

    stop_words = WordsField(
        label=gettext_lazy("Words that stop"),
        required=False,
        help_text=gettext_lazy("One in a line. The whole message must be one of them; case and accents do not matter."),
    )
    start_words = WordsField(label=gettext_lazy("Words that resume"), required=False)

    class Meta:
        model = OptOutPolicy
        fields = ("stop_words", "start_words", "scope", "stop_reply", "start_reply")

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        both = sorted({*given.get("stop_words", [])} & {*given.get("start_words", [])})
        if both:
            self.add_error("start_words", _("“%(word)s” cannot both stop and resume.") % {"word": both[0]})
        return given


@admin.register(OptOutPolicy, site=organization_site)
class OptOutPolicyAdmin(SingleRowAdmin[OptOutPolicy]):
    form = OptOutPolicyForm
    fieldsets = (
        (
            gettext_lazy("When people write STOP"),
            {
                "fields": ("stop_words", "scope", "stop_reply"),
                "description": gettext_lazy("It counts for everything by which you can reach the person."),
            },
        ),
        (gettext_lazy("When they want messages again"), {"fields": ("start_words", "start_reply")}),
    )

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The row is made when somebody first looks at it; until then its defaults hold."""
        if self.has_view_or_change_permission(request) and not OptOutPolicy.objects.exists():
            OptOutPolicy.objects.get_or_create(pk=1)
        return super().changelist_view(request, extra_context)

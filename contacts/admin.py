"""Contacts with their identities and conversation, and the addresses that must not be written to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.contrib import admin
from django.contrib.admin.models import ADDITION
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from config.admin_base import BigTableAdmin, HistoryAdmin, ReadOnlyInline, SingleRowAdmin
from config.admin_decorators import action, display
from config.admin_forms import ServiceForm, posted
from config.admin_sites import organization_of, organization_site
from contacts.models import Contact, Identity, OptOutPolicy, Suppression
from contacts.phones import BadPhone, phone_normalise
from contacts.services.contacts import DELETE_MOST, contact_create, contact_update, contacts_delete
from contacts.services.suppressions import blacklist_payload
from contacts.stop_words import WORD_LENGTH, word_normalise
from messaging.admin.conversation import conversation_of
from messaging.admin.phone_search import address_query
from webhooks_app.services.events import event_publish

_CONVERSATION: Final = 50
# People whose name begins as searched for: beyond so many, the search is too broad to page through.
_NAMES_SEARCHED: Final = 1_000


class ContactCreateForm(ServiceForm):
    """A new contact: the number decides who it is."""

    phone = forms.CharField(
        label=gettext_lazy("Phone"),
        max_length=32,
        help_text=gettext_lazy("With the country code (+229…), or as it is dialled in your default country."),
    )
    name = forms.CharField(label=gettext_lazy("Name"), max_length=160, required=False)
    email = forms.EmailField(label=gettext_lazy("E-mail"), required=False)

    def __init__(self, *args: Any, country: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._country = country

    def clean_phone(self) -> str:
        phone = phone_or_error(self.cleaned_data["phone"], self._country)
        if Identity.objects.filter(kind=Identity.Kind.PHONE, value=phone).exists():
            raise forms.ValidationError(_("There is a contact with this number already."))
        return phone


class IdentityInline(ReadOnlyInline):
    model = Identity
    fields = ("kind", "value", "created_at")
    readonly_fields = fields
    verbose_name_plural = gettext_lazy("How providers know this person")


@admin.register(Contact, site=organization_site)
class ContactAdmin(HistoryAdmin[Contact], BigTableAdmin[Contact]):
    list_display = ("__str__", "phone_text", "email", "last_seen_at", "created_at")
    search_fields = ("phone",)
    search_help_text = gettext_lazy("Phone number or its beginning, or the beginning of the name")
    fields = ("name", "email", "phone_text", "public_id", "created_at", "last_seen_at")
    readonly_fields = ("phone_text", "public_id", "created_at", "last_seen_at")
    inlines = (IdentityInline,)
    actions_detail = ("write",)
    empty_title = gettext_lazy("No contact yet")
    empty_text = gettext_lazy("People who write to you appear here by themselves. You can also add them.")

    def search_indexed(self, request: HttpRequest, queryset: QuerySet[Contact], term: str) -> QuerySet[Contact]:
        phone = address_query("phone", term, organization_of(request).default_country)
        if phone is not None:
            return queryset.filter(phone)
        # The index on names knows beginnings in the case in which they are stored.
        written = {term, term.lower(), term.upper(), term.capitalize(), term.title()}
        found = Q()
        for start in written:
            found |= Q(name__startswith=start)
        # Taken from the index on names first: sorted by age alone, rare old names would cost a walk over everybody.
        return queryset.filter(pk__in=Contact.objects.filter(found).order_by().values("pk")[:_NAMES_SEARCHED])

    @display(description=gettext_lazy("phone"))
    def phone_text(self, obj: Contact) -> str:
        return f"+{obj.phone}" if obj.phone else "–"

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        organization = organization_of(request)
        form = ContactCreateForm(posted(request), country=organization.default_country)
        made: list[Contact] = []

        def run() -> str:
            given = form.cleaned_data
            made.append(
                contact_create(
                    organization=organization, phone=given["phone"], name=given["name"], email=given["email"]
                )
            )
            self.log(request, made, ADDITION, _("Created."))
            return _("%(name)s is a contact now.") % {"name": made[0]}

        answer = self.run_form(request, form=form, run=run, title=_("New contact"), submit=_("Save"))
        return HttpResponseRedirect(self.page_url("change", made[0].pk)) if made else answer

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        contact = context["original"]
        context |= {
            "title": str(contact),
            "subtitle": None,
            "conversation": conversation_of(
                contact_id=contact.pk, limit=_CONVERSATION, organization_uuid=organization_of(request).uuid
            ),
            "conversation_cap": _CONVERSATION,
        }
        return super().render_change_form(request, context, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Contact, form: Any, change: bool) -> None:
        contact_update(organization=organization_of(request), contact_id=obj.pk, name=obj.name, email=obj.email)

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> list[Any]:
        """For the history; the service writes the audit log."""
        return super(HistoryAdmin, self).construct_change_message(request, form, formsets, add)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """The same."""
        return super(HistoryAdmin, self).log_deletions(request, queryset)

    def delete_model(self, request: HttpRequest, obj: Contact) -> None:
        contacts_delete(contact_ids=[obj.pk])

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Contact]) -> None:
        ids = list(queryset.values_list("pk", flat=True))
        for start in range(0, len(ids), DELETE_MOST):
            contacts_delete(contact_ids=ids[start : start + DELETE_MOST])

    def has_write_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        if not request.user.has_perm("messaging.add_message") or object_id is None:
            return False
        return bool(self.object_or_404(request, str(object_id)).phone)

    @action(description=gettext_lazy("Send a message"), url_path="write", icon="send", permissions=["write"])
    def write(self, request: HttpRequest, object_id: str) -> HttpResponse:
        contact = self.object_or_404(request, object_id)
        return HttpResponseRedirect(f"{reverse('admin:messaging_message_add')}?to=%2B{contact.phone}")


if TYPE_CHECKING:
    _SuppressionForm = forms.ModelForm[Suppression]
else:
    _SuppressionForm = forms.ModelForm


class SuppressionForm(_SuppressionForm):
    """Accepts a number as people write it."""

    address = forms.CharField(
        label=gettext_lazy("Phone number or provider's id"), max_length=160, widget=UnfoldAdminTextInputWidget
    )
    country = "BJ"

    class Meta:
        model = Suppression
        fields = ("address", "reason", "scope", "note")

    def clean_address(self) -> str:
        """Numbers are normalised like those of messages, or the list would miss them; ids stay as they are."""
        text = str(self.cleaned_data["address"]).strip()
        looks_like_phone = all(character in "+0123456789 ().-/" for character in text)
        return phone_or_error(text, self.country) if looks_like_phone else text


@admin.register(Suppression, site=organization_site)
class SuppressionAdmin(HistoryAdmin[Suppression], BigTableAdmin[Suppression]):
    form = SuppressionForm
    list_display = ("address", "reason_label", "scope", "note", "created_at")
    search_fields = ("address",)
    search_help_text = gettext_lazy("Phone number or its beginning")
    fields = ("address", "reason", "scope", "note")
    empty_title = gettext_lazy("Nobody is blocked")
    empty_text = gettext_lazy(
        "Numbers listed here are refused before anything is sent. People who opt out are added by themselves."
    )

    @property
    def add_label(self) -> str:
        return _("Block a number")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        form.country = organization_of(request).default_country  # type: ignore[attr-defined]
        return form

    def search_indexed(self, request: HttpRequest, queryset: QuerySet[Suppression], term: str) -> QuerySet[Suppression]:
        phone = address_query("address", term, organization_of(request).default_country)
        return queryset.filter(phone if phone is not None else Q(address=term))

    def save_model(self, request: HttpRequest, obj: Suppression, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if not change and obj.reason == Suppression.Reason.BLACKLIST:
            event_publish(type="blacklist.added", data={"blacklist": blacklist_payload(obj)}, key=obj.address)

    @display(description=gettext_lazy("reason"), label={"blacklist": "danger", "opt_out": "warning"})
    def reason_label(self, obj: Suppression) -> tuple[str, str]:
        return obj.reason, obj.get_reason_display()


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


def phone_or_error(text: str, country: str) -> str:
    """E.164 digits of `text`; a form's ValidationError when it is no phone number."""
    try:
        return phone_normalise(text, country)
    except BadPhone as error:
        raise forms.ValidationError(_("This number %(problem)s.") % {"problem": error}) from error

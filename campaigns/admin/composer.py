"""The form that composes a campaign: what, to whom, when; saved by the services, all or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from django import forms
from django.db import transaction
from django.utils.formats import number_format
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from campaigns.models import Campaign, MarketingTemplate, Schedule
from campaigns.models.campaign import FREQUENCIES
from campaigns.recurrence import LAST_DAY
from campaigns.services.campaigns import (
    ComposingOrganization,
    VariantInput,
    audience_set,
    campaign_create,
    campaign_update,
    variants_set,
)
from campaigns.services.schedules import schedule_set, schedule_toggle
from campaigns.services.text_templates import templates_of, text_template_use
from campaigns.timing import all_zones
from config.admin_forms import ServiceForm
from contacts.admin.phone_fields import contacts_of_lines
from contacts.models import Group, Segment
from messaging.models import Channel, MessageTemplate

if TYPE_CHECKING:
    _ManyGroups = forms.ModelMultipleChoiceField[Group]
else:
    _ManyGroups = forms.ModelMultipleChoiceField
Content = dict[str, Any]
WEEKDAYS: Final = [
    (1, _("Monday")),
    (2, _("Tuesday")),
    (3, _("Wednesday")),
    (4, _("Thursday")),
    (5, _("Friday")),
    (6, _("Saturday")),
    (0, _("Sunday")),
]
_HELP: Final = _("Variables: {nom}, {prenom}, {email}, {telephone}, {custom.field}; with a fallback: {prenom|client}.")
VARIANT_LETTERS: Final = ("b", "c")
_SECTIONS: Final = (
    (_("Campaign"), ("name", "channel", "category")),
    (_("What it says"), ("template", "parameters", "saved_text", "text")),
    (
        _("Versions (A/B test)"),
        ("percent_b", "template_b", "parameters_b", "text_b", "percent_c", "template_c", "parameters_c", "text_c",
         "winner_metric", "sample_percent", "winner_wait_minutes"),
    ),
    (_("Who gets it"), ("audience_kind", "groups", "segment", "contacts", "phones")),
    (
        _("When"),
        ("frequency", "start_date", "time", "interval", "weekdays", "day_of_month", "end_date", "grace_minutes",
         "zone", "in_recipient_zone", "quiet_from", "quiet_until"),
    ),
)  # fmt: skip
# field -> when the page shows it: "other=value", "other" (is filled in), "!other" (is empty); all of them must hold.
_SHOWN: Final = {
    "parameters": "template",
    "saved_text": "!template",
    "text": "!template",
    "template_b": "percent_b",
    "parameters_b": "percent_b template_b",
    "text_b": "percent_b !template_b",
    "percent_c": "percent_b",
    "template_c": "percent_b percent_c",
    "parameters_c": "percent_b percent_c template_c",
    "text_c": "percent_b percent_c !template_c",
    "winner_metric": "percent_b",
    "sample_percent": "percent_b winner_metric",
    "winner_wait_minutes": "percent_b winner_metric",
    "groups": "audience_kind=groups",
    "segment": "audience_kind=segment",
    "contacts": "audience_kind=contacts",
    "phones": "audience_kind=list",
    "start_date": "frequency",
    "time": "frequency",
    "end_date": "frequency !frequency=once",
    "interval": "frequency !frequency=once",
    "weekdays": "frequency=weekly",
    "day_of_month": "frequency=monthly",
    "grace_minutes": "frequency",
}
_CHOSEN_MOST: Final = 10_000


def _parameters(label: Any) -> forms.CharField:
    return forms.CharField(
        label=label,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("One per line, in the order of the template. Variables are filled in."),
    )


class _GroupsField(_ManyGroups):
    def label_from_instance(self, obj: Group) -> str:
        return f"{obj.name} ({number_format(obj.member_count, force_grouping=True)})"


class ComposerForm(ServiceForm):
    """Everything about a campaign on one page."""

    name = forms.CharField(label=_("Name"), max_length=120, help_text=_("For you; recipients never see it."))
    channel = forms.ModelChoiceField(label=_("Channel"), queryset=Channel.objects.none())
    category = forms.ChoiceField(label=_("Category"), choices=Campaign.Category.choices)
    template = forms.ChoiceField(
        label=_("Template"),
        required=False,
        help_text=_("WhatsApp takes free text only within 24 hours of a person's last message; templates always."),
    )
    parameters = _parameters(_("Values of the template's body"))
    saved_text = forms.ModelChoiceField(
        label=_("Begin with a text template"),
        required=False,
        queryset=MarketingTemplate.objects.none(),
        empty_label=_("None"),
        help_text=_("Its text is copied into the field below, where you can change it."),
    )
    text = forms.CharField(
        label=_("Text"), required=False, max_length=4096, widget=forms.Textarea(attrs={"rows": 5}), help_text=_HELP
    )
    percent_b = forms.IntegerField(
        label=_("Percent that get version B"), required=False, min_value=1, max_value=98,
        help_text=_("For an A/B test, such as 50: these recipients get another text. Empty: everybody gets the same."),
    )  # fmt: skip
    template_b = forms.ChoiceField(label=_("Template of version B"), required=False)
    parameters_b = _parameters(_("Values of the template of version B"))
    text_b = forms.CharField(
        label=_("Text of version B"), required=False, max_length=4096, widget=forms.Textarea(attrs={"rows": 3})
    )
    percent_c = forms.IntegerField(
        label=_("Percent that get version C"), required=False, min_value=1, max_value=98,
        help_text=_("A third text; the rest gets version A, which is the one above."),
    )  # fmt: skip
    template_c = forms.ChoiceField(label=_("Template of version C"), required=False)
    parameters_c = _parameters(_("Values of the template of version C"))
    text_c = forms.CharField(
        label=_("Text of version C"), required=False, max_length=4096, widget=forms.Textarea(attrs={"rows": 3})
    )
    winner_metric = forms.ChoiceField(
        label=_("Choose a winner by"),
        required=False,
        choices=[("", _("No winner: everybody gets their version")), *Campaign.WinnerMetric.choices],
    )
    sample_percent = forms.IntegerField(
        label=_("Percent in the sample"), required=False, min_value=1, max_value=99,
        help_text=_("These get the versions first; afterwards everybody else gets the winner."),
    )  # fmt: skip
    winner_wait_minutes = forms.IntegerField(
        label=_("Minutes until the winner is chosen"), required=False, min_value=1, max_value=10_080
    )
    audience_kind = forms.ChoiceField(label=_("Recipients"), choices=Campaign.Audience.choices)
    groups = _GroupsField(
        label=_("Groups"), required=False, queryset=Group.objects.none(), widget=forms.CheckboxSelectMultiple
    )
    segment = forms.ModelChoiceField(label=_("Segment"), required=False, queryset=Segment.objects.none())
    contacts = forms.CharField(
        label=_("Contacts"),
        required=False,
        max_length=1_000_000,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("Search and choose, or write the numbers of contacts, one per line, at most 10,000."),
    )
    phones = forms.CharField(
        label=_("Numbers"),
        required=False,
        max_length=2_000_000,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("One per line, also of people who are no contacts."),
    )
    zone = forms.ChoiceField(label=_("Time zone"))
    in_recipient_zone = forms.BooleanField(
        label=_("In each recipient's own time zone"),
        required=False,
        help_text=_("The time of the schedule and the quiet hours are those of each recipient's clock."),
    )
    quiet_from = forms.TimeField(label=_("Quiet from"), required=False, widget=forms.TextInput(attrs={"type": "time"}))
    quiet_until = forms.TimeField(
        label=_("Quiet until"), required=False, widget=forms.TextInput(attrs={"type": "time"}),
        help_text=_("Nothing is sent in between; what waits is sent afterwards."),
    )  # fmt: skip
    grace_minutes = forms.IntegerField(
        label=_("Grace in minutes"), required=False, min_value=0, max_value=10_080, initial=60,
        help_text=_("An occurrence that could not start within this time is skipped and shown as missed."),
    )  # fmt: skip
    frequency = forms.ChoiceField(
        label=_("Schedule"), required=False, choices=[("", _("None: sent by hand")), *FREQUENCIES]
    )
    time = forms.TimeField(label=_("Time"), required=False, widget=forms.TextInput(attrs={"type": "time"}))
    start_date = forms.DateField(label=_("First day"), required=False, widget=forms.TextInput(attrs={"type": "date"}))
    end_date = forms.DateField(label=_("Last day"), required=False, widget=forms.TextInput(attrs={"type": "date"}))
    interval = forms.IntegerField(
        label=_("Every"), required=False, min_value=1, max_value=366, initial=1,
        help_text=_("2 with a weekly schedule: every second week."),
    )  # fmt: skip
    weekdays = forms.TypedMultipleChoiceField(
        label=_("Weekdays"), required=False, choices=WEEKDAYS, coerce=int, widget=forms.CheckboxSelectMultiple,
        help_text=_("For a weekly schedule; none: that of the first day."),
    )  # fmt: skip
    day_of_month = forms.TypedChoiceField(
        label=_("Day of the month"),
        required=False,
        coerce=int,
        empty_value=None,
        choices=[
            ("", _("That of the first day")),
            *((day, str(day)) for day in range(1, 32)),
            (LAST_DAY, _("The last")),
        ],
        help_text=_("For a monthly schedule. A month without that day takes its last one."),
    )

    field_aliases: ClassVar[dict[str, str]] = {
        "content": "text",
        "text.body": "text",
        "variants.1.content": "text_b",
        "variants.2.content": "text_c",
        "variants": "percent_b",
        "group_ids": "groups",
        "segment_id": "segment",
        "audience": "audience_kind",
        "contact_ids": "contacts",
        "template.name": "template",
    }

    def __init__(
        self, *args: Any, country: str, viewer: int | None, campaign: Campaign | None = None, **kwargs: Any
    ) -> None:
        """`viewer`: the member whose own text templates are offered too, None for all (`templates_of`)."""
        super().__init__(*args, **kwargs)
        self.campaign = campaign
        self._country, self._viewer = country, viewer
        saved = templates_of(viewer=viewer).order_by("name", "id")
        self.fields["saved_text"].queryset = saved  # type: ignore[attr-defined]
        self.fields["channel"].queryset = Channel.objects.order_by("name")  # type: ignore[attr-defined]
        self.fields["groups"].queryset = Group.objects.order_by("name")  # type: ignore[attr-defined]
        self.fields["segment"].queryset = Segment.objects.order_by("name")  # type: ignore[attr-defined]
        self._choices_set("zone", [(name, name.replace("_", " ")) for name in all_zones()])
        approved = MessageTemplate.objects.filter(status=MessageTemplate.Status.APPROVED).order_by("name", "language")
        names = dict.fromkeys((f"{row.name}|{row.language}", str(row)) for row in approved[:500])
        for name in ("template", "template_b", "template_c"):
            self._choices_set(name, [("", _("None: free text")), *names])
        for name in ("contacts", "phones"):
            if campaign is not None and not self.initial.get(name):
                self._kept_note(name)

    @property
    def sections(self) -> list[tuple[Any, list[tuple[forms.BoundField, str]]]]:
        """The fields in groups, each under its heading, and when the page shows them (`_SHOWN`)."""
        return [(title, [(self[name], _SHOWN.get(name, "")) for name in names]) for title, names in _SECTIONS]

    def _kept_note(self, name: str) -> None:
        field = self.fields[name]
        field.help_text = format_lazy("{} {}", field.help_text, _("Empty keeps those that were chosen before."))

    def _choices_set(self, name: str, choices: list[tuple[str, Any]]) -> None:
        field = self.fields[name]
        field.choices = choices  # type: ignore[attr-defined]
        field.widget.choices = choices

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        if given.get("saved_text") and not given.get("text", "").strip():
            given["text"] = given["saved_text"].content
        if not given.get("template") and not given.get("text", "").strip():
            self.add_error("text", _("Write a text or choose a template."))
        for letter in VARIANT_LETTERS:
            says = bool(given.get(f"text_{letter}") or given.get(f"template_{letter}"))
            if says != (given.get(f"percent_{letter}") is not None):
                self.add_error(f"percent_{letter}", _("A version needs a text and its percentage."))
        if given.get("frequency") and not (given.get("time") and given.get("start_date")):
            self.add_error("time", _("A schedule needs a first day and a time."))
        if given.get("grace_minutes") is None:
            given["grace_minutes"] = self.initial.get("grace_minutes", self.fields["grace_minutes"].initial)
        return dict(given)

    def clean_contacts(self) -> list[int]:
        """The ids of the contacts, which are only looked for when they are the recipients."""
        if self.data.get("audience_kind") != Campaign.Audience.CONTACTS:
            return []
        return contacts_of_lines(self.cleaned_data["contacts"], self._country, most=_CHOSEN_MOST)

    def contents(self) -> list[Content]:
        """The content of version A and of the others that were given."""
        shares = [letter for letter in VARIANT_LETTERS if self.cleaned_data[f"percent_{letter}"] is not None]
        return [self._content(""), *(self._content(f"_{letter}") for letter in shares)]

    def _content(self, suffix: str) -> Content:
        given = self.cleaned_data
        if not given[f"template{suffix}"]:
            return _text_content(given[f"text{suffix}"])
        name, _bar, language = given[f"template{suffix}"].partition("|")
        lines = [line.strip() for line in given[f"parameters{suffix}"].splitlines() if line.strip()]
        body = {"type": "body", "parameters": [{"type": "text", "text": line} for line in lines]}
        template: Content = {"name": name, "language": {"code": language}}
        return {"type": "template", "template": template | ({"components": [body]} if lines else {})}

    def save(self, *, organization: ComposingOrganization, user_id: int | None) -> Campaign:
        """Create or change the campaign with everything that belongs to it. Raises `ServiceError`."""
        given, contents = self.cleaned_data, self.contents()
        options = {
            name: given[name]
            for name in (
                "category", "zone", "in_recipient_zone", "quiet_from", "quiet_until", "grace_minutes",
                "sample_percent", "winner_metric", "winner_wait_minutes",
            )
        }  # fmt: skip
        with transaction.atomic():
            common = {"name": given["name"], "channel_id": given["channel"].pk, "content": contents[0]}
            if self.campaign is None:
                campaign = campaign_create(organization=organization, created_by_id=user_id, **common, **options)
            else:
                campaign = campaign_update(campaign_id=self.campaign.pk, **common, **options)
            self._variants_save(campaign, contents)
            self._audience_save(campaign, organization)
            self._schedule_save(campaign)
            if given["saved_text"] and not given["template"]:
                text_template_use(template_id=given["saved_text"].pk, viewer=self._viewer)
        return campaign

    def _variants_save(self, campaign: Campaign, contents: list[Content]) -> None:
        shares = [self.cleaned_data[f"percent_{letter}"] for letter in VARIANT_LETTERS]
        given = [share for share in shares if share is not None]
        percentages = [100 - sum(given), *given] if given else []
        variants = [
            VariantInput(letter, content, percentage)
            for letter, content, percentage in zip("ABC", contents, percentages, strict=False)
        ]
        variants_set(campaign_id=campaign.pk, variants=variants)

    def _audience_save(self, campaign: Campaign, organization: ComposingOrganization) -> None:
        given = self.cleaned_data
        kind = given["audience_kind"]
        phones = given["phones"].replace(",", "\n").replace(";", "\n").split("\n")
        phones = [phone.strip() for phone in phones if phone.strip()]
        kept = self.campaign is not None and self.campaign.audience_kind == kind
        if kept and kind == Campaign.Audience.LIST and not phones:
            return
        if kept and kind == Campaign.Audience.CONTACTS and not given["contacts"]:
            return
        audience_set(
            organization=organization,
            campaign_id=campaign.pk,
            kind=kind,
            phones=phones,
            contact_ids=given["contacts"],
            group_ids=[group.pk for group in given["groups"]],
            segment_id=given["segment"].pk if given["segment"] else None,
        )

    def _schedule_save(self, campaign: Campaign) -> None:
        given = self.cleaned_data
        if not given["frequency"]:
            if Schedule.objects.filter(campaign_id=campaign.pk, is_active=True).exists():
                schedule_toggle(campaign_id=campaign.pk, is_active=False)
            return
        names = ("frequency", "time", "start_date", "end_date", "weekdays", "day_of_month")
        schedule_set(campaign_id=campaign.pk, interval=given["interval"] or 1, **{name: given[name] for name in names})


def _text_content(text: str) -> Content:
    return {"type": "text", "text": {"body": text.strip()}}

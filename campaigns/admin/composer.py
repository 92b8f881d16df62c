"""The form that composes a campaign: what, to whom, when; saved by the services, all or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, Final
from zoneinfo import ZoneInfo

from django import forms
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from campaigns.models import Campaign, Schedule
from campaigns.models.campaign import FREQUENCIES
from campaigns.personalisation import contact_values, personalise, unknown_variables
from campaigns.recurrence import LAST_DAY, BadRule, Frequency, Rule, next_occurrences
from campaigns.services.campaigns import (
    ComposingOrganization,
    VariantInput,
    audience_set,
    campaign_create,
    campaign_update,
    variants_set,
)
from campaigns.services.schedules import schedule_set, schedule_toggle
from campaigns.timing import all_zones
from config.admin_forms import ServiceForm
from contacts.models import Contact, Group, Segment
from messaging.admin.text_cost import sms_text
from messaging.models import Channel, MessageTemplate

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
_VARIANTS: Final = ("b", "c")
_SECTIONS: Final = (
    (_("Campaign"), ("name", "channel", "category")),
    (_("What it says"), ("text", "template", "parameters")),
    (
        _("Versions (A/B test)"),
        ("text_b", "percent_b", "text_c", "percent_c", "winner_metric", "sample_percent", "winner_wait_minutes"),
    ),
    (_("Who gets it"), ("audience_kind", "groups", "segment", "phones")),
    (
        _("When"),
        ("frequency", "start_date", "time", "end_date", "interval", "weekdays", "day_of_month", "zone",
         "in_recipient_zone", "quiet_from", "quiet_until", "grace_minutes"),
    ),
)  # fmt: skip


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
    parameters = forms.CharField(
        label=_("Values of the template's body"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("One per line, in the order of the template. Variables are filled in."),
    )
    text = forms.CharField(
        label=_("Text"), required=False, max_length=4096, widget=forms.Textarea(attrs={"rows": 5}), help_text=_HELP
    )
    text_b = forms.CharField(
        label=_("Text of version B"),
        required=False,
        max_length=4096,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("For an A/B test: some of the recipients get this text instead."),
    )
    percent_b = forms.IntegerField(label=_("Percent that get B"), required=False, min_value=1, max_value=98)
    text_c = forms.CharField(
        label=_("Text of version C"), required=False, max_length=4096, widget=forms.Textarea(attrs={"rows": 3})
    )
    percent_c = forms.IntegerField(label=_("Percent that get C"), required=False, min_value=1, max_value=98)
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
    groups = forms.ModelMultipleChoiceField(
        label=_("Groups"), required=False, queryset=Group.objects.none(), widget=forms.CheckboxSelectMultiple
    )
    segment = forms.ModelChoiceField(label=_("Segment"), required=False, queryset=Segment.objects.none())
    phones = forms.CharField(
        label=_("Numbers"),
        required=False,
        max_length=2_000_000,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("For a list: one per line. Empty keeps the list that there is."),
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
        label=_("Grace in minutes"), min_value=0, max_value=10_080, initial=60,
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
        "template.name": "template",
    }

    def __init__(self, *args: Any, campaign: Campaign | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.campaign = campaign
        self.fields["channel"].queryset = Channel.objects.order_by("name")  # type: ignore[attr-defined]
        self.fields["groups"].queryset = Group.objects.order_by("name")  # type: ignore[attr-defined]
        self.fields["segment"].queryset = Segment.objects.order_by("name")  # type: ignore[attr-defined]
        self._choices_set("zone", [(name, name.replace("_", " ")) for name in all_zones()])
        approved = MessageTemplate.objects.filter(status=MessageTemplate.Status.APPROVED).order_by("name", "language")
        names = dict.fromkeys((f"{row.name}|{row.language}", str(row)) for row in approved[:500])
        self._choices_set("template", [("", _("None: free text")), *names])

    @property
    def sections(self) -> list[tuple[Any, list[forms.BoundField]]]:
        """The fields in groups, each under its heading."""
        return [(title, [self[name] for name in names]) for title, names in _SECTIONS]

    def _choices_set(self, name: str, choices: list[tuple[str, Any]]) -> None:
        field = self.fields[name]
        field.choices = choices  # type: ignore[attr-defined]
        field.widget.choices = choices

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        if not given.get("template") and not given.get("text", "").strip():
            self.add_error("text", _("Write a text or choose a template."))
        for letter in _VARIANTS:
            if bool(given.get(f"text_{letter}")) != (given.get(f"percent_{letter}") is not None):
                self.add_error(f"percent_{letter}", _("A version needs a text and its percentage."))
        if given.get("frequency") and not (given.get("time") and given.get("start_date")):
            self.add_error("time", _("A schedule needs a first day and a time."))
        return dict(given)

    def contents(self) -> list[Content]:
        """The content of version A and of the others that were given."""
        given = self.cleaned_data
        if given["template"]:
            name, _bar, language = given["template"].partition("|")
            lines = [line.strip() for line in given["parameters"].splitlines() if line.strip()]
            body = {"type": "body", "parameters": [{"type": "text", "text": line} for line in lines]}
            template: Content = {"name": name, "language": {"code": language}}
            first: Content = {"type": "template", "template": template | ({"components": [body]} if lines else {})}
        else:
            first = _text_content(given["text"])
        return [first, *(_text_content(given[f"text_{letter}"]) for letter in _VARIANTS if given[f"text_{letter}"])]

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
        return campaign

    def _variants_save(self, campaign: Campaign, contents: list[Content]) -> None:
        shares = [self.cleaned_data[f"percent_{letter}"] for letter in _VARIANTS]
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
        if kept and not phones and kind in (Campaign.Audience.LIST, Campaign.Audience.CONTACTS):
            return
        audience_set(
            organization=organization,
            campaign_id=campaign.pk,
            kind=kind,
            phones=phones,
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


def composer_initial(campaign: Campaign) -> dict[str, Any]:
    """The form's fields as they are now."""
    plain = (
        "name", "category", "audience_kind", "zone", "in_recipient_zone", "quiet_from", "quiet_until",
        "grace_minutes", "winner_metric", "sample_percent", "winner_wait_minutes",
    )  # fmt: skip
    initial: dict[str, Any] = {name: getattr(campaign, name) for name in plain} | {"channel": campaign.channel_id}
    initial["groups"] = campaign.audience.get("group_ids", [])
    initial["segment"] = campaign.audience.get("segment_id")
    initial |= _content_initial(campaign.content)
    for letter, variant in zip(_VARIANTS, list(campaign.variants.all())[1:], strict=False):
        initial[f"text_{letter}"] = variant.content.get("text", {}).get("body", "")
        initial[f"percent_{letter}"] = variant.percentage
    schedule = Schedule.objects.filter(campaign_id=campaign.pk, is_active=True).first()
    if schedule is not None:
        names = ("frequency", "time", "start_date", "end_date", "interval", "weekdays", "day_of_month")
        initial |= {name: getattr(schedule, name) for name in names}
    return initial


def _content_initial(content: Mapping[str, Any]) -> dict[str, str]:
    if content.get("type") != "template":
        return {"text": content.get("text", {}).get("body", "")}
    template = content["template"]
    parameters = [p.get("text", "") for part in template.get("components", []) for p in part.get("parameters", [])]
    return {
        "template": f"{template['name']}|{template['language']['code']}",
        "parameters": "\n".join(parameters),
    }


def _text_content(text: str) -> Content:
    return {"type": "text", "text": {"body": text.strip()}}


def composer_preview(data: Mapping[str, Any], weekdays: list[str]) -> dict[str, Any]:
    """What a form that is being filled in would send to one contact, and when: for the page beside it."""
    contact = Contact.objects.filter(phone__isnull=False).exclude(name="").order_by("-id").first()
    values = contact_values(
        name=contact.name if contact else "Ada Sample",
        email=contact.email if contact else "ada@example.com",
        phone=contact.phone or "" if contact else "22961000000",
        custom=contact.custom if contact else {},
    )
    number = str(data.get("channel") or "")
    channel = Channel.objects.filter(pk=int(number)).first() if number.isdecimal() else None
    given = {name: str(data.get(name, "")) for name in ("text", "text_b", "text_c")}
    letters = dict(zip(given, "ABC", strict=True))
    texts = [
        (letters[name], read, sms_text(channel=channel, text=read, written=text, field=name))
        for name, text in given.items()
        if text.strip() and (read := personalise(text, values))
    ]
    unknown = [name for text in given.values() for name in unknown_variables(text)]
    occurrences, problem = _occurrences(data, weekdays)
    return {
        "reader": values["nom"],
        "texts": texts,
        "unknown": ", ".join(f"{{{name}}}" for name in unknown),
        "occurrences": occurrences,
        "problem": problem,
    }


def _occurrences(data: Mapping[str, Any], weekdays: list[str]) -> tuple[list[datetime], str]:
    """The next ten, in the campaign's zone; or what is wrong with the schedule. Nothing while it is not filled in."""
    if not (data.get("frequency") and data.get("time") and data.get("start_date")):
        return [], ""
    weekly = data["frequency"] == Frequency.WEEKLY
    monthly = data["frequency"] == Frequency.MONTHLY
    try:
        zone = ZoneInfo(str(data.get("zone") or "UTC"))
        rule = Rule(
            Frequency(str(data["frequency"])),
            datetime.strptime(str(data["time"])[:5], "%H:%M").time(),  # noqa: DTZ007  a time of the day
            datetime.fromisoformat(str(data["start_date"])).date(),
            datetime.fromisoformat(str(data["end_date"])).date() if data.get("end_date") else None,
            int(data.get("interval") or 1),
            tuple(int(day) for day in weekdays) if weekly else (),
            int(data["day_of_month"]) if monthly and data.get("day_of_month") else None,
        )
    except BadRule as error:
        return [], str(error)
    except (ValueError, KeyError) as error:
        return [], str(error)
    return [moment.astimezone(zone) for moment in next_occurrences(rule, zone, datetime.now(UTC), 10)], ""

"""Campaigns: what is sent, to whom, when."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from campaigns.recurrence import Frequency
from messaging.models import Channel
from tenants.fields import uuid7

FREQUENCIES: Final = [
    (Frequency.ONCE.value, _("Once")),
    (Frequency.DAILY.value, _("Daily")),
    (Frequency.WEEKLY.value, _("Weekly")),
    (Frequency.MONTHLY.value, _("Monthly")),
]


class Campaign(models.Model):
    """One message to many people, once or again and again. Changed by `campaigns.services`, never by `save()`."""

    class Status(models.TextChoices):
        DRAFT = "draft", _("Draft")
        SCHEDULED = "scheduled", _("Scheduled")
        RUNNING = "running", _("Running")
        PAUSED = "paused", _("Paused")
        COMPLETED = "completed", _("Completed")
        FAILED = "failed", _("Failed")
        CANCELLED = "cancelled", _("Cancelled")

    class Category(models.TextChoices):
        MARKETING = "marketing", _("Marketing: not to people who opted out of it")
        UTILITY = "utility", _("Information about something that they asked for")

    class Audience(models.TextChoices):
        LIST = "list", _("A list of numbers")
        CONTACTS = "contacts", _("Chosen contacts")
        GROUPS = "groups", _("Groups")
        SEGMENT = "segment", _("A segment")
        ALL = "all", _("All contacts")

    class WinnerMetric(models.TextChoices):
        DELIVERED = "delivered", _("Delivered")
        READ = "read", _("Read")

    uuid = models.UUIDField(default=uuid7, unique=True, editable=False)
    name = models.CharField(_("name"), max_length=120)
    channel = models.ForeignKey(Channel, models.PROTECT, related_name="campaigns", verbose_name=_("channel"))
    category = models.CharField(_("category"), max_length=10, choices=Category.choices, default=Category.MARKETING)
    # As `messaging.drivers.base.Outgoing.content`; its texts may hold variables. Variants replace it.
    content = models.JSONField(_("content"))
    audience_kind = models.CharField(_("recipients"), max_length=8, choices=Audience.choices, default=Audience.ALL)
    # groups: {"group_ids": [...]}, segment: {"segment_id": n}; list and contacts are kept as AudienceEntry rows.
    audience = models.JSONField(_("selection"), default=dict, blank=True)
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.DRAFT)
    status_reason = models.CharField(_("reason"), max_length=500, blank=True, db_default="")
    zone = models.CharField(_("time zone"), max_length=40, default="UTC")
    in_recipient_zone = models.BooleanField(
        _("in the recipient's time zone"),
        default=False,
        help_text=_("The time of the schedule and the quiet hours are those of each recipient's own clock."),
    )
    quiet_from = models.TimeField(_("quiet from"), null=True, blank=True)
    quiet_until = models.TimeField(_("quiet until"), null=True, blank=True)
    grace_minutes = models.PositiveIntegerField(
        _("grace in minutes"),
        default=60,
        validators=[MaxValueValidator(7 * 24 * 60)],
        help_text=_("An occurrence that could not start within this time is skipped and shown as missed."),
    )
    # A/B with a winner: first to `sample_percent`, after `winner_wait_minutes` the rest gets the best variant.
    sample_percent = models.PositiveSmallIntegerField(
        _("sample in percent"), null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(99)]
    )
    winner_metric = models.CharField(
        _("winner by"), max_length=10, choices=WinnerMetric.choices, blank=True, default=""
    )
    winner_wait_minutes = models.PositiveIntegerField(
        _("wait in minutes"), null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(7 * 24 * 60)]
    )
    created_by_id = models.BigIntegerField(_("created by"), null=True, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), db_default=Now())
    updated_at = models.DateTimeField(_("changed"), db_default=Now())
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    class Meta:
        verbose_name = _("campaign")
        verbose_name_plural = _("campaigns")
        ordering = ("-id",)
        indexes: ClassVar[list[Any]] = [models.Index(fields=["status", "-id"], name="campaign_of_status")]

    def __str__(self) -> str:
        return self.name

    @property
    def has_quiet_hours(self) -> bool:
        """Whether there are hours in which nothing is sent."""
        return self.quiet_from is not None and self.quiet_until is not None

    @property
    def has_winner_rule(self) -> bool:
        """Whether a sample decides which variant the rest gets."""
        return bool(self.sample_percent and self.winner_metric and self.winner_wait_minutes)


class Variant(models.Model):
    """One version of an A/B campaign. The percentages of a campaign's variants add up to 100."""

    campaign = models.ForeignKey(Campaign, models.CASCADE, related_name="variants")
    name = models.CharField(_("name"), max_length=60)
    content = models.JSONField(_("content"))
    percentage = models.PositiveSmallIntegerField(
        _("percent"), validators=[MinValueValidator(1), MaxValueValidator(100)]
    )

    class Meta:
        verbose_name = _("variant")
        verbose_name_plural = _("variants")
        ordering = ("id",)
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["campaign", "name"], name="variant_name_once")
        ]

    def __str__(self) -> str:
        return self.name


class AudienceEntry(models.Model):
    """One recipient of a campaign that goes to a list of numbers or to chosen contacts."""

    campaign = models.ForeignKey(Campaign, models.CASCADE, related_name="entries")
    # As the person is addressed; what cannot be read as a number stays as it was given, with the problem.
    address = models.CharField(max_length=160, blank=True)
    problem = models.CharField(max_length=200, blank=True, db_default="")
    contact_id = models.BigIntegerField(null=True, blank=True)

    class Meta:
        verbose_name = _("chosen recipient")
        verbose_name_plural = _("chosen recipients")
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                fields=["campaign", "address"], name="entry_address_once", condition=models.Q(contact_id__isnull=True)
            ),
            models.UniqueConstraint(
                fields=["campaign", "contact_id"],
                name="entry_contact_once",
                condition=models.Q(contact_id__isnull=False),
            ),
        ]
        indexes: ClassVar[list[Any]] = [models.Index(fields=["campaign", "id"], name="entry_in_order")]

    def __str__(self) -> str:
        return self.address or str(self.contact_id)


class Schedule(models.Model):
    """When a campaign runs; `campaigns.recurrence.Rule` says what the fields mean. Times are the campaign's zone's."""

    campaign = models.OneToOneField(Campaign, models.CASCADE, related_name="schedule")
    frequency = models.CharField(_("frequency"), max_length=8, choices=FREQUENCIES)
    time = models.TimeField(_("time"))
    start_date = models.DateField(_("first day"))
    end_date = models.DateField(_("last day"), null=True, blank=True)
    interval = models.PositiveSmallIntegerField(_("every"), default=1)
    # 0 = Sunday to 6 = Saturday
    weekdays = ArrayField(models.SmallIntegerField(), verbose_name=_("weekdays"), default=list, blank=True)
    day_of_month = models.SmallIntegerField(_("day of the month"), null=True, blank=True)
    is_active = models.BooleanField(_("active"), default=True)
    # The occurrence that comes next; empty when there is none.
    next_at = models.DateTimeField(_("next"), null=True, blank=True)

    class Meta:
        verbose_name = _("schedule")
        verbose_name_plural = _("schedules")

    def __str__(self) -> str:
        return f"{self.frequency} {self.time:%H:%M}"

"""Imports of contacts from files: what was uploaded, how it is read, how far it is and what became of its rows."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from tenants.fields import uuid7


class ContactImport(models.Model):
    """One file. `cursor` and the counts move in the transaction that stores the contacts of the rows up to it."""

    class Format(models.TextChoices):
        CSV = "csv", "CSV"
        XLSX = "xlsx", "XLSX"

    class Status(models.TextChoices):
        UPLOADED = "uploaded", _("Uploaded")
        RUNNING = "running", _("Running")
        COMPLETED = "completed", _("Completed")
        CANCELLED = "cancelled", _("Cancelled")
        FAILED = "failed", _("Failed")

    class Duplicates(models.TextChoices):
        UPDATE = "update", _("Update them with what the file says")
        SKIP = "skip", _("Leave them as they are")

    uuid = models.UUIDField(default=uuid7, unique=True, editable=False)
    filename = models.CharField(_("file"), max_length=120)
    format = models.CharField(_("format"), max_length=4, choices=Format.choices)
    size = models.PositiveBigIntegerField(_("size"))
    # Names in the storage of media: the upload, and its rows as plain UTF-8 lines where the upload has another form.
    path = models.CharField(max_length=200)
    rows_path = models.CharField(max_length=200, blank=True, default="", db_default="")
    rows_size = models.PositiveBigIntegerField(default=0, db_default=0)
    encoding = models.CharField(_("encoding"), max_length=12)
    delimiter = models.CharField(_("separator"), max_length=1)
    has_header = models.BooleanField(_("first row names the columns"), default=True)
    # ["Phone", "Name"], and for each column what it holds (see `contacts.imports.columns`), "" for nothing of ours.
    columns = models.JSONField(_("columns"), default=list)
    mapping = models.JSONField(_("what the columns hold"), default=list)
    duplicates = models.CharField(
        _("people who are contacts already"), max_length=6, choices=Duplicates.choices, default=Duplicates.UPDATE
    )
    country = models.CharField(_("country of numbers without country code"), max_length=2)
    group = models.ForeignKey(
        "contacts.Group",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("group that everybody joins"),
    )
    status = models.CharField(_("state"), max_length=9, choices=Status.choices, default=Status.UPLOADED)
    reason = models.CharField(_("why"), max_length=300, blank=True, default="", db_default="")
    # Bytes of the rows that are done, and rows, the header included.
    cursor = models.PositiveBigIntegerField(default=0, db_default=0)
    position = models.PositiveBigIntegerField(default=0, db_default=0)
    rows_read = models.PositiveBigIntegerField(_("rows read"), default=0, db_default=0)
    rows_created = models.PositiveBigIntegerField(_("new contacts"), default=0, db_default=0)
    rows_updated = models.PositiveBigIntegerField(_("changed contacts"), default=0, db_default=0)
    rows_unchanged = models.PositiveBigIntegerField(_("contacts that said so already"), default=0, db_default=0)
    rows_skipped = models.PositiveBigIntegerField(_("left as they are"), default=0, db_default=0)
    rows_repeated = models.PositiveBigIntegerField(_("repeated in the file"), default=0, db_default=0)
    rows_failed = models.PositiveBigIntegerField(_("rows with a mistake"), default=0, db_default=0)
    # Who started it, as the audit log wants it.
    actor = models.JSONField(default=dict, db_default={})
    # In which the reasons of rows that were not taken are written: that of the person who started it.
    language = models.CharField(max_length=10, blank=True, default="", db_default="")
    created_at = models.DateTimeField(_("uploaded at"), auto_now_add=True)
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    finished_at = models.DateTimeField(_("ended"), null=True, blank=True)

    class Meta:
        verbose_name = _("import")
        verbose_name_plural = _("imports")
        ordering = ("-id",)

    def __str__(self) -> str:
        return self.filename

    @property
    def percent_done(self) -> float:
        """How far it is, by the bytes of its rows."""
        if self.status == self.Status.COMPLETED:
            return 100.0
        return min(100.0, 100.0 * self.cursor / self.rows_size) if self.rows_size else 0.0

    @property
    def counts(self) -> dict[str, int]:
        """What became of the rows, by name."""
        names = ("read", "created", "updated", "unchanged", "skipped", "repeated", "failed")
        return {name: getattr(self, f"rows_{name}") for name in names}


class ImportProblem(models.Model):
    """A row of a file that could not be taken: where, why, and what it said."""

    contact_import = models.ForeignKey(ContactImport, models.CASCADE, related_name="problems", db_index=False)
    row = models.PositiveBigIntegerField(_("row"))
    column = models.CharField(_("column"), max_length=120, blank=True)
    reason = models.CharField(_("reason"), max_length=300)
    cells = models.JSONField(_("original values"), default=list)

    class Meta:
        verbose_name = _("row with a mistake")
        verbose_name_plural = _("rows with mistakes")
        constraints: ClassVar[list[Any]] = [
            # Also the order in which they are read.
            models.UniqueConstraint(fields=["contact_import", "row"], name="import_problem_once")
        ]

    def __str__(self) -> str:
        return f"{self.row}: {self.reason}"


class ImportMapping(models.Model):
    """What columns of these names hold, remembered for the next file of the same source."""

    name = models.CharField(_("name"), max_length=80)
    # Header in lower case -> what the column holds.
    targets = models.JSONField(_("columns"), default=dict)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("remembered columns")
        verbose_name_plural = _("remembered columns")
        ordering = ("name",)
        constraints: ClassVar[list[Any]] = [models.UniqueConstraint(Lower("name"), name="import_mapping_name_once")]

    def __str__(self) -> str:
        return self.name

"""Credits of an organisation and of its sub-accounts, and the ledger that says where every one of them went."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

# Up to ten billion credits, in ten-thousandths: finer than any operator's price of a segment.
DIGITS: Final = 14
PLACES: Final = 4


class CreditAccount(models.Model):
    """What can be spent. The organisation's own account has no membership; without it nothing is charged at all.

    `balance` is what is available: reserved credits have left it. Changed by `billing.services` and by the engine's
    statements, each time together with an entry of the ledger, never by `save()`.
    """

    # A member with an account of their own pays from it; everybody else from the organisation's.
    membership_id = models.BigIntegerField(_("sub-account"), null=True, blank=True, editable=False)
    # Who that is or was: a member may leave, the account stays.
    label = models.CharField(_("name"), max_length=200, blank=True)
    balance = models.DecimalField(_("available"), max_digits=DIGITS, decimal_places=PLACES, default=0, db_default=0)
    # An account that is switched off charges nothing any more; what is reserved is still settled.
    is_active = models.BooleanField(_("charges"), default=True, db_default=True)
    created_at = models.DateTimeField(_("since"), db_default=Now())

    class Meta:
        verbose_name = _("credit account")
        verbose_name_plural = _("credit accounts")
        ordering = ("id",)
        constraints: ClassVar[list[Any]] = [
            models.CheckConstraint(condition=models.Q(balance__gte=0), name="credits_never_below_zero"),
            models.UniqueConstraint(fields=["membership_id"], name="credits_one_account_each", nulls_distinct=False),
        ]

    def __str__(self) -> str:
        return self.label or str(_("Organisation"))


class LedgerEntry(models.Model):
    """One movement; a trigger refuses to change or delete it.

    `amount` changes what is available, `held` what is reserved: the sums over an account are its balance and the price
    of its messages that are still open. One entry stands for a whole call or batch of `messages`.
    """

    class Kind(models.TextChoices):
        HOLD = "hold", _("Reserved")
        SETTLE = "settle", _("Spent")
        RELEASE = "release", _("Given back")
        TOP_UP = "top_up", _("Top-up")
        TRANSFER = "transfer", _("Transfer")
        ADJUST = "adjust", _("Correction")

    account = models.ForeignKey(CreditAccount, models.PROTECT, related_name="entries", verbose_name=_("account"))
    kind = models.CharField(_("what"), max_length=8, choices=Kind.choices)
    amount = models.DecimalField(_("available"), max_digits=DIGITS, decimal_places=PLACES, default=0, db_default=0)
    held = models.DecimalField(_("reserved"), max_digits=DIGITS, decimal_places=PLACES, default=0, db_default=0)
    messages = models.IntegerField(_("messages"), default=0, db_default=0)
    # What makes a movement happen once; null where the messages' own state does (the engine's entries).
    reference = models.CharField(_("reference"), max_length=100, null=True, unique=True)  # noqa: DJ001 null: unique
    channel_id = models.BigIntegerField(_("channel"), null=True, blank=True)
    campaign_run_id = models.BigIntegerField(_("run of a campaign"), null=True, blank=True)
    bulk_uuid = models.UUIDField(_("bulk"), null=True, blank=True)
    reason = models.CharField(_("reason"), max_length=200, blank=True, db_default="")
    by = models.CharField(_("by"), max_length=200, blank=True, db_default="")
    at = models.DateTimeField(_("at"), db_default=Now())

    class Meta:
        verbose_name = _("ledger entry")
        verbose_name_plural = _("ledger entries")
        ordering = ("-id",)
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["account", "-id"], name="ledger_of_account"),
            models.Index(fields=["kind", "-id"], name="ledger_of_kind"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.amount}"

"""Links that a vendor sends to a customer, who connects a channel there: how far it got, and what came of it."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from messaging.models.channel import Channel
from messaging.models.customer import Customer
from tenants.fields import EncryptedJSONField, uuid7


class SetupLink(models.Model):
    """One way to connect one channel for one customer. The token is in the URL only; here is its hash."""

    class Step(models.TextChoices):
        EXCHANGE = "exchange", _("Log in at Meta")
        INSPECT = "inspect", _("Check the permissions")
        CHOOSE = "choose", _("Choose the number")
        SUBSCRIBE = "subscribe", _("Receive messages")
        REGISTER = "register", _("Register the number")
        CHANNEL = "channel", _("Make the channel")
        DONE = "done", _("Connected")

    uuid = models.UUIDField(default=uuid7, unique=True, editable=False)
    customer = models.ForeignKey(Customer, models.PROTECT, related_name="setup_links", verbose_name=_("customer"))
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    # WHATSAPP, INSTAGRAM or FACEBOOK; "" until the person has chosen.
    network = models.CharField(_("type"), max_length=12, blank=True)
    is_network_fixed = models.BooleanField(default=False)
    redirect_url = models.CharField(_("leads back to"), max_length=2048, blank=True)
    is_sandbox = models.BooleanField(_("sandbox"), default=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    expires_at = models.DateTimeField(_("expires"))
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)
    completed_at = models.DateTimeField(_("completed"), null=True, blank=True)
    # The step that is next. What was found out so far is in `found`, what must not be read in `secrets`.
    step = models.CharField(_("step"), max_length=10, choices=Step.choices, default=Step.EXCHANGE)
    error = models.CharField(_("last problem"), max_length=500, blank=True)
    # [{"step", "at", "error"}]: what was done and what went wrong, in order.
    log = models.JSONField(_("what happened"), default=list, blank=True)
    found = models.JSONField(default=dict, blank=True, editable=False)
    secrets = EncryptedJSONField(default=dict, editable=False)
    # Somebody is at work on it until then: a second click does nothing.
    busy_until = models.DateTimeField(null=True, blank=True, editable=False)
    channel = models.ForeignKey(
        Channel, models.SET_NULL, null=True, blank=True, related_name="setup_links", verbose_name=_("channel")
    )

    class Meta:
        verbose_name = _("setup link")
        verbose_name_plural = _("setup links")
        ordering = ("-id",)
        indexes: ClassVar[list[Any]] = [models.Index(fields=["customer", "-id"], name="setup_link_of_customer")]

    def __str__(self) -> str:
        return str(self.uuid)

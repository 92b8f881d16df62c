"""The customers of a software vendor: the businesses whose channels the vendor connects."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from tenants.fields import uuid7


class Customer(models.Model):
    """A business that a vendor serves, with channels of its own; people who write to it are contacts, not customers."""

    uuid = models.UUIDField(default=uuid7, unique=True, editable=False)
    name = models.CharField(_("name"), max_length=120)
    email = models.EmailField(_("e-mail"), blank=True)
    external_id = models.CharField(  # noqa: DJ001  null: unique only where it is given
        _("id at the vendor"),
        max_length=120,
        null=True,
        blank=True,
        unique=True,
        help_text=_("What your own system calls this customer; no two customers may have the same."),
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("customer")
        verbose_name_plural = _("customers")
        ordering = ("-id",)
        indexes: ClassVar[list[Any]] = [models.Index(Lower("name"), "id", name="customer_by_name")]

    def __str__(self) -> str:
        return self.name

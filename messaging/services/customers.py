"""The customers of a vendor: added once per external id, listed page by page."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from audit.services.recording import audit_record
from messaging.models import Customer
from tenants.errors import Conflict, InvalidInput


def customer_create(*, name: str, email: str = "", external_id: str | None = None) -> Customer:
    """A new customer. Raises `InvalidInput` for the address, `Conflict` external_id_taken."""
    if email:
        try:
            validate_email(email)
        except ValidationError as error:
            raise InvalidInput(
                "invalid_email", _("This is no e-mail address."), {"email": _("is no address")}
            ) from error
    try:
        with transaction.atomic():
            customer = Customer.objects.create(name=name, email=email, external_id=external_id or None)
            audit_record(action="customer.created", subject=customer, new={"name": name, "external_id": external_id})
            return customer
    except IntegrityError as error:
        text = _("Another customer has this external id.")
        raise Conflict("external_id_taken", text, {"externalId": _("belongs to another customer")}) from error

"""Phone numbers in the admin's forms."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext as _

from contacts.phones import BadPhone, phone_normalise


def phone_or_error(text: str, country: str) -> str:
    """E.164 digits of `text`; a form's ValidationError when it is no phone number."""
    try:
        return phone_normalise(text, country)
    except BadPhone as error:
        raise forms.ValidationError(_("This number %(problem)s.") % {"problem": error}) from error

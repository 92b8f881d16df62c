"""Phone numbers in the admin's forms."""

from __future__ import annotations

import re
from typing import Final

from django import forms
from django.utils.translation import gettext as _

from config.reasons import reason_said
from contacts.models import Contact, Identity
from contacts.phones import BadPhone, phone_normalise

# A name behind a number: after a dot in the middle, or from the first letter.
_NAME: Final = re.compile(r"\s*(·|[^\W\d_]).*$")


def phone_or_error(text: str, country: str) -> str:
    """E.164 digits of `text`; a form's ValidationError when it is no phone number."""
    try:
        return phone_normalise(text, country)
    except BadPhone as error:
        raise forms.ValidationError(_("This number %(problem)s.") % {"problem": reason_said(str(error))}) from error


def contacts_of_lines(text: str, country: str, *, most: int) -> list[int]:
    """The ids of contacts named by their numbers, or by `#` and their id: one in a line, a name may follow.

    Raises a form's ValidationError that names what is no contact, and for more than `most`.
    """
    lines = [line.strip() for line in text.replace(",", "\n").replace(";", "\n").splitlines() if line.strip()]
    if len(lines) > most:
        raise forms.ValidationError(_("At most %(most)s numbers.") % {"most": most})
    ids = {int(number): line for line in lines if (number := _id_of(line))}
    phones = {_phone_of(line, country): line for line in lines if not _id_of(line)}
    rows = Identity.objects.filter(kind=Identity.Kind.PHONE, value__in=phones).values_list("value", "contact_id")
    found, known = dict(rows), set(Contact.objects.filter(pk__in=ids).values_list("pk", flat=True))
    unknown = [line for phone, line in phones.items() if phone not in found]
    unknown += [line for number, line in ids.items() if number not in known]
    if unknown:
        text = _("These are no contacts: %(numbers)s.") % {"numbers": ", ".join(unknown[:10])}
        raise forms.ValidationError(text)
    return sorted({*found.values(), *known})


def contact_line(contact: Contact) -> str:
    """A line that `contacts_of_lines` reads."""
    name = " ".join(contact.name.replace(",", " ").replace(";", " ").split())
    number = f"+{contact.phone}" if contact.phone else f"#{contact.pk}"
    return f"{number} · {name}" if name else number


def _phone_of(line: str, country: str) -> str:
    try:
        return phone_normalise(_NAME.sub("", line), country)
    except BadPhone as error:
        text = _("“%(line)s” %(problem)s.") % {"line": line[:60], "problem": reason_said(str(error))}
        raise forms.ValidationError(text) from error


def _id_of(line: str) -> str:
    number = line[1:].split(maxsplit=1)[0] if line.startswith("#") and line[1:].strip() else ""
    return number if number.isascii() and number.isdigit() and len(number) <= 18 else ""

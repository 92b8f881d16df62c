"""What the columns of a file hold: guessed from their names, checked before anything is read.

Targets: name, first_name, last_name, email, phone, group, status, tags, language, timezone, `custom.<key>`, and ""
for a column that is left out.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from tenants.errors import InvalidInput

IGNORED: Final = ""
CUSTOM: Final = "custom."
TARGETS: Final = {
    "phone": _("Phone"),
    "name": _("Name"),
    "first_name": _("First name"),
    "last_name": _("Last name"),
    "email": _("E-mail"),
    "group": _("Group"),
    "status": _("Status"),
    "tags": _("Tags"),
    "language": _("Language"),
    "timezone": _("Time zone"),
}
MAX_COLUMNS: Final = 200
HEADER_LENGTH: Final = 120
_KEY: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")

# Names of columns in English, French and Spanish, without accents, spaces and punctuation.
_NAMES: Final = {
    "phone": """phone phonenumber telephone telephonenumber tel mobile mobilephone mobilenumber cell cellphone cellular
        msisdn number whatsapp whatsappnumber gsm numero numerodetelephone numtel notel portable telefono
        numerodetelefono movil celular contact contactnumber phonee164""",
    "name": """name fullname displayname contactname customername nom nomcomplet nometprenom nomprenom nomprenoms
        prenometnom nombrecompleto nombreyapellido nombreyapellidos client cliente""",
    "first_name": "firstname givenname forename prenom prenoms nombre nombres primernombre",
    "last_name": "lastname surname familyname nomdefamille apellido apellidos",
    "email": """email emailaddress mail courriel adresseemail adressemail adresseelectronique correo
        correoelectronico""",
    "group": "group groups groupe groupes grupo grupos list liste lista category categorie categoria",
    "status": "status state statut etat estado active actif activo",
    "tags": "tag tags label labels etiquette etiquettes etiqueta etiquetas",
    "language": "language lang locale langue idioma lengua",
    "timezone": "timezone tz fuseau fuseauhoraire zonahoraria husohorario",
}
_TARGET_OF: Final = {name: target for target, names in _NAMES.items() for name in names.split()}


def mapping_guess(
    headers: Sequence[str], *, custom: Iterable[str], remembered: Iterable[Mapping[str, str]]
) -> list[str]:
    """For each header what its column holds. A remembered mapping that knows all headers wins over their names.

    `custom`: keys of the custom fields that exist. Each target is given once, to the first column that fits; a French
    `nom` next to a `prenom` is the last name.
    """
    plain = [header.strip().lower() for header in headers]
    known = next((targets for targets in remembered if plain and set(plain) <= set(targets)), None)
    if known is not None:
        return _once([known[header] for header in plain])
    keys = set(custom)
    words = [_word(header) for header in headers]
    guessed = [_guess(word, header, keys) for word, header in zip(words, plain, strict=True)]
    if "first_name" in guessed and "last_name" not in guessed and "name" in guessed:
        place = guessed.index("name")
        if words[place] in {"nom", "name"}:
            guessed[place] = "last_name"
    return _once(guessed)


def mapping_clean(mapping: Sequence[str], *, headers: Sequence[str]) -> list[str]:
    """`mapping` as it can be used. Raises `InvalidInput` naming `mapping`."""
    if len(mapping) != len(headers):
        raise _bad(gettext("must say something about each of the %(count)s columns") % {"count": len(headers)})
    targets = [target for target in mapping if target]
    for target in targets:
        if target not in TARGETS and not (target.startswith(CUSTOM) and _KEY.fullmatch(target.removeprefix(CUSTOM))):
            raise _bad(gettext("%(name)s is nothing that a column can hold") % {"name": target[:60]})
    twice = next((target for target in targets if targets.count(target) > 1), None)
    if twice is not None:
        raise _bad(gettext("%(name)s is chosen for two columns") % {"name": twice})
    if "phone" not in targets:
        raise _bad(gettext("no column holds the phone number, by which contacts are known"))
    return list(mapping)


def key_of(header: str) -> str:
    """The key of a custom field named after a column; "" when nothing is left of the name."""
    text = re.sub(r"[^a-z0-9]+", "_", _ascii(header)).strip("_")[:40].strip("_")
    return text if _KEY.fullmatch(text) else ""


def _guess(word: str, header: str, keys: set[str]) -> str:
    if header.startswith(CUSTOM) and _KEY.fullmatch(header.removeprefix(CUSTOM)):
        return header
    if word in _TARGET_OF:
        return _TARGET_OF[word]
    key = key_of(header)
    return CUSTOM + key if key in keys else IGNORED


def _once(targets: list[str]) -> list[str]:
    return [target if target not in targets[:place] else IGNORED for place, target in enumerate(targets)]


def _ascii(text: str) -> str:
    folded = unicodedata.normalize("NFKD", text.lower())
    return "".join(character for character in folded if not unicodedata.combining(character))


def _word(header: str) -> str:
    return re.sub(r"[^a-z0-9]", "", _ascii(header))


def _bad(reason: str) -> InvalidInput:
    return InvalidInput(
        "invalid_mapping",
        gettext("The columns cannot be read like this: %(reason)s.") % {"reason": reason},
        {"mapping": reason},
    )

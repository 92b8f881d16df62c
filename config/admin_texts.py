"""Texts of libraries that ship no translations, or not in our languages: named here so that our catalogues hold them.

`makemessages` reads only our own files. Texts that Django's own catalogues translate already are left out.
"""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext_noop as _

AXES_TEXTS: Final = (
    _("access attempt"),
    _("access attempts"),
)
UNFOLD_TEXTS: Final = (
    _("Apply Filters"),
    _("Click to cancel"),
    _("Dark"),
    _("Expand row"),
    _("Filters"),
    _("General"),
    _("Go back"),
    _("Light"),
    _("More actions"),
    _("Next"),
    _("Previous"),
    _("Reset filters"),
    _("Return to site"),
    _("Run"),
    _("Search apps and models..."),
    _("Select action"),
    _("Select action to run"),
    _("Select all rows"),
    _("Select record"),
    _("Submit"),
    _("System"),
    _("Toggle password visibility"),
    _("Type to search"),
    _("Welcome back to"),
    _("You have been successfully logged out from the administration"),
)

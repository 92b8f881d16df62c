"""The one error family of the stack: its text is the line that the person at the terminal reads."""

from __future__ import annotations


class StackError(Exception):
    """The platform cannot start or go on; the message is one clear line that names what to change."""

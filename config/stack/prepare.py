"""Migrations and demo data in one process: Django starts once, which makes `make run` a second or two faster.

Run as `python -m config.stack.prepare` with the platform's environment.
"""

from __future__ import annotations

import sys
from pathlib import Path


def main() -> int:
    """Migrate, then write the demo data (both do nothing when there is nothing to do). Returns an exit code."""
    import django
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import call_command
    from django.core.management.base import CommandError

    try:
        django.setup()
        call_command("migrate", interactive=False, verbosity=0)
        call_command("demo_data", verbosity=0)
        # Nothing is collected here: processes find the files where they are, but warn when the folder is missing.
        Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)
    except ImproperlyConfigured as error:
        sys.stderr.write(f"configuration: {error}\n")
        return 1
    except CommandError as error:
        sys.stderr.write(f"{error}\n")
        return error.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The text that `make run` prints when everything answers."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# A number of the range that the sandbox delivers to; its last digits must not be one of the magic endings 96-99.
_DEMO_RECIPIENT = "+12025550143"


def banner_text(demo: Mapping[str, Any]) -> str:
    """Addresses, logins and a curl line that works when pasted, from the content of `var/demo.json`."""
    base_url, sandbox_url = demo["base_url"].rstrip("/"), demo["sandbox_url"].rstrip("/")
    rows = [
        ("Super-admin", f"{base_url}/admin/", demo["super_admin"]),
        (demo["organization"]["name"], demo["organization"]["admin_url"], demo["organization"]),
        (demo["second_organization"]["name"], demo["second_organization"]["admin_url"], demo["second_organization"]),
    ]
    width = max(len(title) for title, _url, _login in rows) + 2
    lines = [f"  {title:<{width}}{url}   {login['email']}   {login['password']}" for title, url, login in rows]
    lines.append(f"  {'Phones':<{width}}{sandbox_url}/")
    lines.append(f"  {'API docs':<{width}}{base_url}/docs/")
    return "\n".join(
        [
            "",
            "Griot is running. Ctrl-C stops it.",
            "",
            *lines,
            "",
            "Send a message, then look at the phone:",
            "",
            send_command(base_url, demo["transactional"]),
            "",
            "",
        ]
    )


def send_command(base_url: str, transactional: Mapping[str, str]) -> str:
    """One curl line for POST /api/v1/messages/send, quoted for a POSIX shell."""
    body = {"providerId": transactional["provider_id"], "to": _DEMO_RECIPIENT, "message": "Hello from Griot"}
    words = ["curl", "-sS", "-X", "POST",
             f"{base_url}/api/v1/messages/send", "-H", f"X-API-Key: {transactional['api_key']}",
             "-H", "Content-Type: application/json", "-d", json.dumps(body)]  # fmt: skip
    return shlex.join(words)


def banner_read(path: Path) -> str:
    """The banner for the demo file at `path`."""
    return banner_text(json.loads(path.read_text(encoding="utf-8")))

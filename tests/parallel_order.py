"""Which tests belong together and which come first when several processes run them."""

from __future__ import annotations

# Tests of these share one running platform, which takes half a minute to start.
PLATFORM = (
    "tests/browser/",
    "tests/campaigns/test_killed_workers.py",
    "tests/faults/",
    "tests/live/test_connections.py",
    "tests/live/test_gateway_guide.py",
    "tests/live/test_marketing.py",
    "tests/live/test_whole_platform.py",
)
# Files that take long for other reasons; a process that begins one at the end would leave the other idle.
LONG = (
    "tests/contract/",
    "tests/live/",
    "tests/tenants/test_migrate_many.py",
    "tests/webhooks_app/test_many_endpoints.py",
)


def shares_the_platform(nodeid: str) -> bool:
    """Whether a test runs against the one live platform."""
    return nodeid.startswith(PLATFORM)


def place(nodeid: str) -> int:
    """0: to begin with; 1: early; 2: afterwards."""
    return 0 if shares_the_platform(nodeid) else 1 if nodeid.startswith(LONG) else 2

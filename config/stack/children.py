"""The processes of the platform on one machine. `Procfile` names the same ones for production."""

from __future__ import annotations

import sys

from config.queues import DISPATCH, TASK_QUEUES, WEBHOOKS
from config.stack.environment import Listening
from config.stack.supervisor import Child

# More processes than threads: threads of one process wait for each other at every answer of the database.
_WEB_WORKERS = "4"
_WEB_THREADS = "2"
# A dispatch task only hands a channel to the worker's event loop, which sends for all of them.
_DISPATCH_THREADS = "4"
# The same for webhook endpoints, in a process of their own: receivers must not slow down sending.
_WEBHOOKS_THREADS = "2"
_DEFAULT_PROCESSES = "2"


def platform_children(listening: Listening) -> list[Child]:
    """Sandbox (when it is ours), web server, dispatch and webhooks workers, worker for all other queues, beat."""
    python = sys.executable
    celery = [python, "-m", "celery", "--quiet", "-A", "config"]
    others = ",".join(queue.name for queue in TASK_QUEUES if queue.name not in (DISPATCH, WEBHOOKS))
    children = [
        Child("web", [python, "-m", "granian", "--interface", "wsgi", "--host", listening.host,
                      "--port", str(listening.port), "--workers", _WEB_WORKERS, "--blocking-threads", _WEB_THREADS,
                      "--no-ws", "config.wsgi:application"]),
        Child("dispatch", [*celery, "worker", "-Q", DISPATCH, "-P", "threads", "-c", _DISPATCH_THREADS,
                           "-n", "dispatch@%h", "--without-gossip", "--without-mingle", "-l", "INFO"]),
        Child("webhooks", [*celery, "worker", "-Q", WEBHOOKS, "-P", "threads", "-c", _WEBHOOKS_THREADS,
                           "-n", "webhooks@%h", "--without-gossip", "--without-mingle", "-l", "INFO"]),
        Child("worker", [*celery, "worker", "-Q", others, "-P", "prefork", "-c", _DEFAULT_PROCESSES,
                         "-n", "worker@%h", "--without-gossip", "--without-mingle", "-l", "INFO"]),
        Child("beat", [*celery, "beat", "--pidfile=", "-l", "INFO"]),
    ]  # fmt: skip
    if listening.own_sandbox:
        children.insert(0, Child("sandbox", [python, "-m", "sandbox"]))
    return children

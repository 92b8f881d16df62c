from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class WebhooksConfig(AppConfig):
    name = "webhooks_app"
    verbose_name = _("Webhooks")

    def ready(self) -> None:
        """Any process may tick the agenda: it must know how to wake an endpoint and how to go on with a replay."""
        from webhooks_app import wake  # noqa: F401
        from webhooks_app.services import replays  # noqa: F401

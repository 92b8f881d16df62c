from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class WebhooksConfig(AppConfig):
    name = "webhooks_app"
    verbose_name = _("Webhooks")

    def ready(self) -> None:
        """Any process may tick the agenda, and must know how to wake an endpoint."""
        from webhooks_app import wake as _wake  # noqa: F401

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class MessagingConfig(AppConfig):
    name = "messaging"
    verbose_name = _("Messaging")

    def ready(self) -> None:
        # Now, while there is one thread: two requests that import the drivers at once, each from another end of their
        # imports, would see half of them.
        from messaging.drivers.registry import drivers

        drivers()

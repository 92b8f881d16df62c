import importlib

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class ConfigConfig(AppConfig):
    name = "config"

    def ready(self) -> None:
        """Make the API's types known to the schema generator: Django's deployment check renders all schemas.

        And have every app say in its `retention.py` what it keeps how long.
        """
        importlib.import_module("api.openapi")
        autodiscover_modules("retention")
        importlib.import_module("tenants.checks")

import importlib

from django.apps import AppConfig


class ConfigConfig(AppConfig):
    name = "config"

    def ready(self) -> None:
        """Make the API's types known to the schema generator: Django's deployment check renders all schemas."""
        importlib.import_module("api.openapi")

"""Addresses of the gateway API, below /v1/."""

from __future__ import annotations

from django.urls import path, re_path

from api.gateway.endpoint import NotFoundEndpoint
from api.gateway.views.accounts import KeysView, RegisterView
from api.gateway.views.channels import ChannelListView, OnboardView
from api.gateway.views.customers import CustomersView
from api.gateway.views.deliveries import (
    DeliveriesView,
    DeliveryReplayView,
    DeliveryView,
    ReplayView,
    WebhookReplayView,
)
from api.gateway.views.files import FilesView, FileView
from api.gateway.views.messages import MessagesView
from api.gateway.views.setup_links import SetupLinksView, SetupLinkView
from api.gateway.views.templates import TemplatesView, TemplateView
from api.gateway.views.webhooks import WebhookSecretView, WebhooksView, WebhookTestView, WebhookView

urlpatterns = [
    path("auth/register", RegisterView.as_view()),
    path("auth/keys", KeysView.as_view()),
    path("auth/channels", ChannelListView.as_view()),
    path("auth/onboard/channel", OnboardView.as_view()),
    path("messages", MessagesView.as_view()),
    path("files", FilesView.as_view()),
    path("files/<str:id>", FileView.as_view()),
    path("customers", CustomersView.as_view()),
    path("setup-links", SetupLinksView.as_view()),
    path("setup-links/<str:id>", SetupLinkView.as_view()),
    path("templates", TemplatesView.as_view()),
    path("templates/<str:name>", TemplateView.as_view()),
    path("webhooks", WebhooksView.as_view()),
    path("webhooks/<str:id>", WebhookView.as_view()),
    path("webhooks/<str:id>/test", WebhookTestView.as_view()),
    path("webhooks/<str:id>/rotate-secret", WebhookSecretView.as_view()),
    path("webhooks/<str:id>/replay", WebhookReplayView.as_view()),
    path("webhook-replays/<str:id>", ReplayView.as_view()),
    path("webhook-deliveries", DeliveriesView.as_view()),
    path("webhook-deliveries/<str:id>", DeliveryView.as_view()),
    path("webhook-deliveries/<str:id>/replay", DeliveryReplayView.as_view()),
    # Last: everything else is an error of this API too, not a web page.
    re_path("^", NotFoundEndpoint.as_view()),
]

"""Addresses of the transactional API, below /api/v1/."""

from __future__ import annotations

from django.urls import path, re_path

from api.transactional.endpoint import NotFoundEndpoint
from api.transactional.views.messages import MessageView, SendBulkView, SendMediaView, SendMessageView
from api.transactional.views.otp import OtpSendView, OtpVerifyView
from api.transactional.views.providers import ProviderListView, ProviderView

urlpatterns = [
    path("providers", ProviderListView.as_view()),
    path("providers/<str:id>", ProviderView.as_view()),
    path("messages/send", SendMessageView.as_view()),
    path("messages/send-media", SendMediaView.as_view()),
    path("messages/send-bulk", SendBulkView.as_view()),
    path("messages/<str:id>", MessageView.as_view()),
    path("otp/send", OtpSendView.as_view()),
    path("otp/verify", OtpVerifyView.as_view()),
    # Last: everything else is a problem document too, not a web page.
    re_path("^", NotFoundEndpoint.as_view()),
]

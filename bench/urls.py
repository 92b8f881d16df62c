"""The public host's addresses plus the bare view."""

from django.urls import path

from bench.bare_view import Bare
from config.urls_public import urlpatterns as public

urlpatterns = [path("bench/bare", Bare.as_view()), *public]

"""The floor for the API: a DRF view that validates three fields and makes one row with the ORM."""

from __future__ import annotations

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tenants.fields import uuid7
from tenants.models import InboundEvent


class _Input(serializers.Serializer[dict[str, object]]):
    providerId = serializers.UUIDField()
    to = serializers.CharField(max_length=20)
    message = serializers.CharField(max_length=4096)


class Bare(APIView):
    """No authentication, no limits, no guards: parse, validate, insert, answer."""

    def post(self, request: Request) -> Response:
        data = _Input(data=request.data)
        data.is_valid(raise_exception=True)
        body = str(data.validated_data["message"]).encode()
        # Done: nothing in the platform may take it up.
        row = InboundEvent.objects.create(source="bench", body=body, status=InboundEvent.Status.DONE)
        return Response({"messageId": str(uuid7()), "status": "queued", "queuedAt": row.received_at}, status=202)

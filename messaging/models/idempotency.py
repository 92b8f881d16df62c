"""Answers kept for clients that repeat a request with the same Idempotency-Key."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models.functions import Now


class IdempotencyRecord(models.Model):
    """(API key, Idempotency-Key) -> the first answer, written in the transaction of its effect."""

    api_key_id = models.BigIntegerField()
    key = models.CharField(max_length=255)
    # SHA-256 over operation and body: the same key with another body is a mistake of the client.
    request_hash = models.CharField(max_length=64)
    response_status = models.PositiveSmallIntegerField()
    response_body = models.JSONField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["api_key_id", "key"], name="idempotency_once")
        ]
        indexes: ClassVar[list[Any]] = [models.Index(fields=["created_at"], name="idempotency_age")]

    def __str__(self) -> str:
        return self.key

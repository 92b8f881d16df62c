"""The words by which people stop and resume messages, and what they do."""

from __future__ import annotations

from typing import ClassVar

import django.contrib.postgres.fields
from django.db import migrations, models

import contacts.stop_words


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("contacts", "0005_contact_email_index"),
    ]

    operations: ClassVar = [
        migrations.CreateModel(
            name="OptOutPolicy",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "stop_words",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=40),
                        blank=True,
                        default=contacts.stop_words.default_stop_words,
                        size=None,
                        verbose_name="words that stop",
                    ),
                ),
                (
                    "start_words",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=40),
                        blank=True,
                        default=contacts.stop_words.default_start_words,
                        size=None,
                        verbose_name="words that resume",
                    ),
                ),
                (
                    "scope",
                    models.CharField(
                        choices=[("all", "Everything"), ("marketing", "Marketing only")],
                        default="marketing",
                        help_text="Marketing only: one-time passwords, receipts and answers still arrive.",
                        max_length=10,
                        verbose_name="stops",
                    ),
                ),
                (
                    "stop_reply",
                    models.CharField(
                        blank=True,
                        help_text="Sent once. Empty: no answer.",
                        max_length=500,
                        verbose_name="answer to a stop",
                    ),
                ),
                (
                    "start_reply",
                    models.CharField(
                        blank=True,
                        help_text="Sent once. Empty: no answer.",
                        max_length=500,
                        verbose_name="answer to a resume",
                    ),
                ),
            ],
            options={
                "verbose_name": "opt-out policy",
                "verbose_name_plural": "opt-out policy",
            },
        ),
    ]

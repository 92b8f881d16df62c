"""The tokens of channels that are there already are looked after too, within the first day."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations

_WATCH = """
INSERT INTO public.tenants_agendaitem (schema, kind, key, due_at)
SELECT current_schema(), 'channel_token', id::text, now() + random() * interval '1 day'
FROM messaging_channel WHERE kind IN ('whatsapp_cloud', 'messenger', 'instagram')
ON CONFLICT (schema, kind, key) DO NOTHING
"""
_FORGET = "DELETE FROM public.tenants_agendaitem WHERE schema = current_schema() AND kind = 'channel_token'"


class Migration(migrations.Migration):
    dependencies: ClassVar = [("messaging", "0016_token_life")]

    operations: ClassVar = [migrations.RunSQL(_WATCH, _FORGET)]

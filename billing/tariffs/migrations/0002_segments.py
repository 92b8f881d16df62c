"""`billing_segments(text)`: in how many segments a text message travels, as `messaging.sms_text` counts them.

For statements that price 20,000 different texts at once; a test compares both.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations

_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ"
    " !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = "\f^{}\\[~]|€"


def _characters(text: str) -> str:
    return "".join(f"\\u{ord(character):04x}" for character in text)


# Texts that need a look at every character are long ones with characters of two units: a pair is never torn apart.
_FUNCTION = f"""
CREATE FUNCTION public.billing_segments(body text) RETURNS integer
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    is_gsm boolean := body ~ '^[{_characters(_BASIC + _EXTENSION)}]*$';
    doubles integer := length(body) - length(regexp_replace(
        body, CASE WHEN is_gsm THEN '[{_characters(_EXTENSION)}]' ELSE '[\\U00010000-\\U0010ffff]' END, '', 'g'));
    alone integer := CASE WHEN is_gsm THEN 160 ELSE 70 END;
    room integer := CASE WHEN is_gsm THEN 153 ELSE 67 END;
    parts integer := 1;
    used integer := 0;
    units integer;
    letter text;
BEGIN
    IF length(body) + doubles <= alone THEN
        RETURN 1;
    ELSIF doubles = 0 THEN
        RETURN (length(body) + room - 1) / room;
    END IF;
    FOREACH letter IN ARRAY regexp_split_to_array(body, '') LOOP
        units := CASE WHEN is_gsm THEN CASE WHEN letter ~ '[{_characters(_EXTENSION)}]' THEN 2 ELSE 1 END
                      WHEN ascii(letter) > 65535 THEN 2 ELSE 1 END;
        IF used + units > room THEN
            parts := parts + 1;
            used := 0;
        END IF;
        used := used + units;
    END LOOP;
    RETURN parts;
END $$;
"""


class Migration(migrations.Migration):
    dependencies: ClassVar = [("tariffs", "0001_tariffs")]
    operations: ClassVar = [migrations.RunSQL(_FUNCTION, "DROP FUNCTION public.billing_segments(text);")]

"""Words by which people stop and resume messages, and how a text is compared with them."""

from __future__ import annotations

import unicodedata
from typing import Final

# STOP, STOPALL and UNSUBSCRIBE are what carriers in North America require; CANCEL, END and QUIT of the same list are
# left out, because in a conversation they mean something else. STOP is required in France by the operators' charter.
STOP_WORDS: Final = {
    "en": ("stop", "stop all", "stopall", "unsubscribe", "opt out", "optout"),
    "fr": ("arret", "arreter", "stopper", "desabonner", "desinscrire", "me desabonner"),
    "es": ("baja", "alto", "parar", "darme de baja"),
}
START_WORDS: Final = {
    "en": ("start", "unstop", "subscribe", "opt in", "optin"),
    "fr": ("reprendre", "reabonner", "me reabonner"),
    "es": ("alta", "reanudar", "darme de alta"),
}
# A text longer than this is a sentence and not such a word.
WORD_LENGTH: Final = 40


def word_normalise(text: str) -> str:
    """Lower case, without accents, punctuation and double spaces: `  Arrêt ! ` is `arret`; "" for longer texts."""
    if len(text) > 4 * WORD_LENGTH:
        return ""
    plain = "".join(
        character for character in unicodedata.normalize("NFKD", text) if not unicodedata.combining(character)
    )
    kept = "".join(character if character.isalnum() else " " for character in plain.casefold())
    word = " ".join(kept.split())
    return word if len(word) <= WORD_LENGTH else ""


def default_stop_words() -> list[str]:
    """Those of all languages: people do not always answer in the language in which they were written to."""
    return sorted(word for words in STOP_WORDS.values() for word in words)


def default_start_words() -> list[str]:
    """The same for those who want messages again."""
    return sorted(word for words in START_WORDS.values() for word in words)

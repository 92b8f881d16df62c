"""Translation catalogues: .mo from .po without the gettext programs, which a new machine may lack.

`python -m config.stack.catalogues` compiles what is out of date; with `--check` it reports mistakes and writes nothing.
"""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import PoFileError, read_po

from config.stack.errors import StackError
from config.stack.paths import ROOT

# A keyword and a quoted text, or a quoted text that continues the line before.
_LINE = re.compile(r'(?:(?:msgctxt|msgid|msgid_plural|msgstr(?:\[\d+\])?)\s+)?"(?:[^"\\]|\\.)*"')
_SKIPPED = {".venv", "var", "node_modules", ".git"}


def catalogue_files(root: Path) -> list[Path]:
    """Every LC_MESSAGES/*.po of the project's `locale` directories, at the top and one level down (one per app)."""
    found = [*root.glob("locale/*/LC_MESSAGES/*.po"), *root.glob("*/locale/*/LC_MESSAGES/*.po")]
    return sorted(path for path in found if path.relative_to(root).parts[0] not in _SKIPPED)


def catalogues_compile(root: Path) -> list[Path]:
    """Write the .mo files that are missing or older than their .po. Returns those; StackError for a broken .po."""
    written = []
    for source in catalogue_files(root):
        target = source.with_suffix(".mo")
        if target.exists() and target.stat().st_mtime >= source.stat().st_mtime:
            continue
        target.write_bytes(_compiled(_parse(source)))
        written.append(target)
    return written


def catalogue_mistakes(root: Path) -> list[str]:
    """What is wrong in the catalogues, one line each: syntax, placeholders that differ from the source's."""
    mistakes = []
    for source in catalogue_files(root):
        try:
            catalogue = _parse(source)
        except StackError as error:
            mistakes.append(str(error))
            continue
        _compiled(catalogue)
        for message, errors in catalogue.check():
            mistakes += [f"{source.relative_to(root)}: line {message.lineno}: {error}" for error in errors]
    return mistakes


def _parse(source: Path) -> Catalog:
    locale = source.parent.parent.name
    try:
        _require_quotes(source)
        with source.open("rb") as file:
            return read_po(file, locale=locale, abort_invalid=True)
    except (PoFileError, UnicodeDecodeError, ValueError) as error:
        raise StackError(f"{source}: {error}") from error


def _require_quotes(source: Path) -> None:
    """Babel cuts the first and last character off a text without looking: a missing quote would lose a letter."""
    for number, line in enumerate(source.read_text(encoding="utf-8").splitlines(), 1):
        if line.strip() and not line.startswith("#") and _LINE.fullmatch(line.strip()) is None:
            raise ValueError(f"line {number}: expected a keyword and a text in double quotes")


def _compiled(catalogue: Catalog) -> bytes:
    buffer = io.BytesIO()
    write_mo(buffer, catalogue)
    return buffer.getvalue()


def main(arguments: list[str]) -> int:
    """Compile, or check with `--check`. Returns an exit code."""
    if arguments == ["--check"]:
        mistakes = catalogue_mistakes(ROOT)
        sys.stderr.writelines(f"{line}\n" for line in mistakes)
        return 1 if mistakes else 0
    for path in catalogues_compile(ROOT):
        sys.stdout.write(f"{path.relative_to(ROOT)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The shipped words of the required fields, and a way to read a mail with them."""

from __future__ import annotations

import tomllib
from functools import lru_cache
from pathlib import Path

from triage.core.model import Attachment, Body, Email, Label
from triage.core.pack import Pack, RequiredField, Words
from triage.core.reading.fields import fields
from triage.core.reading.matches import lexicon

WORDS = Path(__file__).parents[2] / "rules" / "navixy" / "words"
READERS = ("description", "account", "asset", "element", "actions", "evidence")


@lru_cache
def pack() -> Pack:
    """A pack of nothing but required fields and their words."""
    words = {language: _words(language) for language in ("en", "es", "any")}
    required = [RequiredField.model_construct(id=reader, reader=reader, clause="info") for reader in READERS]
    return Pack.model_construct(fields=required, words=words)


def _words(language: str) -> Words:
    """What the chapters of the fields say in a language."""
    files = [WORDS / language / f"{chapter}.toml" for chapter in ("fields", "actions")]
    parts = [Words.model_validate(tomllib.loads(file.read_text("utf-8"))) for file in files if file.exists()]
    return Words(
        rule=[rule for part in parts for rule in part.rule], form=[form for part in parts for form in part.form]
    )


def read(
    text: str,
    *files: str | Attachment,
    language: str = "en",
    subject: str = "",
    forwarded: str = "",
    of: Pack | None = None,
) -> dict[str, Label]:
    """The required fields of a mail with this text and these attachments."""
    of = of or pack()
    attachments = tuple(
        file if isinstance(file, Attachment) else Attachment(file, "application/octet-stream", 60_000) for file in files
    )
    whole = text + ("\n\n" + forwarded if forwarded else "")
    signals = lexicon(of, [language]).signals(whole, subject)
    email = Email(subject=subject, text=text, attachments=attachments)
    return fields(email, Body(text=text, forwarded=forwarded), signals, of)


def has(field: str, text: str, *files: str | Attachment, language: str = "en", subject: str = "") -> bool:
    return read(text, *files, language=language, subject=subject)[field].value == "true"

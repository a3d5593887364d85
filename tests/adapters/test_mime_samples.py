"""Every mail of tests/mails holds what the file beside it says, cut or whole."""

from __future__ import annotations

import dataclasses
import pickle
import tomllib
from pathlib import Path
from typing import Any

import pytest

from triage.adapters import mime, mime_cut
from triage.adapters.mime import parse
from triage.core.model import Email

MAILS = Path(__file__).parent.parent / "mails"
SAMPLES = sorted(MAILS.glob("*.eml"))


def shown(email: Email) -> dict[str, Any]:
    """An Email in the words of the files beside the mails."""
    return {
        "message_id": email.message_id,
        "subject": email.subject,
        "from": [address.address for address in email.from_],
        "from_name": email.from_[0].name if email.from_ else "",
        "to": [address.address for address in email.to],
        "cc": [address.address for address in email.cc],
        "reply_to": [address.address for address in email.reply_to],
        "date": email.date,
        "in_reply_to": list(email.in_reply_to),
        "references": list(email.references),
        "content_type": email.content_type,
        "report_type": email.report_type,
        "report_fields": dict(email.report_fields),
        "text": email.text,
        "text_from_html": email.text_from_html,
        "forwarded": list(email.forwarded),
        "attachments": [
            {"filename": a.filename, "content_type": a.content_type, "size": a.size, "inline": a.inline, "text": a.text}
            for a in email.attachments
        ],
        "defects": list(email.defects),
        "error": email.error,
    }


def test_every_mail_has_its_expectation_and_the_other_way_round() -> None:
    assert SAMPLES
    assert {path.stem for path in SAMPLES} == {path.stem for path in MAILS.glob("*.toml")}


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_mail_is_read_as_expected(path: Path) -> None:
    expected = tomllib.loads(path.with_suffix(".toml").read_text())
    found = shown(parse(path.read_bytes()))
    for key, value in expected.items():
        if key == "text_contains":
            assert all(words in found["text"] for words in value), found["text"]
        elif key == "text_lacks":
            assert not any(words in found["text"] for words in value), found["text"]
        elif key in ("report_fields", "headers"):
            assert found[key] | value == found[key]
        elif key == "attachments":
            assert len(found[key]) == len(value), found[key]
            for attachment, wanted in zip(found[key], value, strict=True):
                assert attachment | wanted == attachment
        else:
            assert found[key] == value, key


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_cutting_the_bodies_out_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = path.read_bytes()
    cut = parse(raw)
    # What a guessed boundary finds, the parser alone does not find.
    if {"bad-boundary", "too-many-parts", "too-deep"} & set(cut.defects):
        pytest.skip("repaired while cutting")
    monkeypatch.setattr(mime_cut, "cut", lambda *_: None)
    whole = parse(raw)
    ignored = {"bad-structure", "no-closing-boundary"}
    assert set(cut.defects) - ignored == set(whole.defects) - ignored
    assert dataclasses.replace(cut, defects=()) == dataclasses.replace(whole, defects=())


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_an_email_travels_between_processes(path: Path) -> None:
    email = parse(path.read_bytes())
    assert pickle.loads(pickle.dumps(email)) == email


def test_the_limits_are_part_of_the_call() -> None:
    email = parse(b"From: a@b.example\n\n" + b"x" * 100, limits=mime.Limits(text=10))
    assert email.text == "x" * 10
    assert "truncated" in email.defects

"""Stored mail comes one at a time, and one that cannot be read stops no other."""

from __future__ import annotations

import mailbox
import os
from pathlib import Path

import pytest

from triage.adapters import archive
from triage.core.errors import Fault

MAIL = b"From: ana@fleet.example\nSubject: %s\n\nHello\n"


def subjects(path: Path) -> list[str]:
    found = []
    for _, raw in archive.mails(path):
        assert isinstance(raw, bytes)
        found.append(raw.partition(b"Subject: ")[2].partition(b"\n")[0].decode())
    return found


def test_a_file_is_one_mail(tmp_path: Path) -> None:
    path = tmp_path / "a.eml"
    path.write_bytes(MAIL % b"one")
    assert list(archive.mails(path)) == [(str(path), MAIL % b"one")]


def test_a_file_with_a_separator_of_its_own_is_one_mail(tmp_path: Path) -> None:
    path = tmp_path / "a.eml"
    path.write_bytes(b"From ana@fleet.example Mon Nov 23 10:15:00 2026\n" + MAIL % b"one")
    assert subjects(path) == ["one"]


def test_a_folder_gives_its_mails_by_name_and_those_below(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    for name in ("2.eml", "1.EML", "below/3.eml", "notes.txt"):
        (tmp_path / name).write_bytes(MAIL % name[:1].encode())
    assert subjects(tmp_path) == ["1", "2", "b"]


def test_an_mbox_is_taken_apart(tmp_path: Path) -> None:
    path = tmp_path / "old.mbox"
    box = mailbox.mbox(path)
    for subject in (b"one", b"two", b"three"):
        box.add(MAIL % subject + b"\nFrom here on it was offline.\n")
    box.close()
    found = list(archive.mails(path))
    assert [name for name, _ in found] == [f"{path}#1", f"{path}#2", f"{path}#3"]
    assert [raw for _, raw in found] == [
        MAIL % subject + b"\nFrom here on it was offline.\n" for subject in (b"one", b"two", b"three")
    ]


def test_a_line_that_begins_with_from_separates_only_behind_an_empty_line(tmp_path: Path) -> None:
    path = tmp_path / "old"
    path.write_bytes(b"From a Mon Nov 23 10:15:00 2026\n" + MAIL % b"one" + b"From Madrid to Vigo.\n")
    assert subjects(path) == ["one"]


def test_a_maildir_gives_new_and_cur_and_its_folders(tmp_path: Path) -> None:
    box = mailbox.Maildir(tmp_path / "box")
    box.add(MAIL % b"one")
    box.add_folder("Old").add(MAIL % b"two")
    (tmp_path / "box" / "cur" / "1.x:2,S").write_bytes(MAIL % b"seen")
    assert sorted(subjects(tmp_path / "box")) == ["one", "seen", "two"]


def test_a_broken_entry_is_told_and_the_next_follows(tmp_path: Path) -> None:
    (tmp_path / "1.eml").symlink_to(tmp_path / "gone.eml")
    (tmp_path / "2.eml").write_bytes(MAIL % b"two")
    (first, fault), (second, raw) = archive.mails(tmp_path)
    assert first.endswith("1.eml")
    assert isinstance(fault, Fault)
    assert "cannot be read" in str(fault)
    assert second.endswith("2.eml")
    assert raw == MAIL % b"two"


def test_what_does_not_exist_is_a_fault(tmp_path: Path) -> None:
    ((name, fault),) = archive.mails(tmp_path / "nothing.eml")
    assert isinstance(fault, Fault)
    assert name in str(fault)


def test_a_mail_that_is_too_large_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST", 1000)
    separator = b"From a Mon Nov 23 10:15:00 2026\n"
    large = MAIL % b"large" + b"x" * 2000 + b"\n\n"
    (tmp_path / "a.mbox").write_bytes(
        separator + MAIL % b"one" + b"\n" + separator + large + separator + MAIL % b"three"
    )
    (tmp_path / "b.eml").write_bytes(large)
    found = [raw for _, raw in archive.mails(tmp_path)]
    assert [isinstance(raw, Fault) for raw in found] == [False, True, False, True]


def test_a_folder_that_leads_back_to_itself_ends(tmp_path: Path) -> None:
    (tmp_path / "1.eml").write_bytes(MAIL % b"one")
    os.symlink(tmp_path, tmp_path / "again")
    assert subjects(tmp_path) == ["one"]


def test_a_pipe_in_a_folder_is_passed_over_and_a_dead_link_is_told(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.eml")
    (tmp_path / "b.eml").symlink_to(tmp_path / "gone.eml")
    (tmp_path / "c.eml").write_bytes(b"Subject: c\n\nc")
    found = dict(archive.mails(tmp_path))
    assert [Path(name).name for name in found] == ["b.eml", "c.eml"]
    assert isinstance(found[str(tmp_path / "b.eml")], Fault)

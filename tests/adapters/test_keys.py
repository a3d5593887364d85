"""The key: made once, for our eyes only, rotated without losing a thread."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from triage.adapters import keys
from triage.core import threads
from triage.core.errors import ConfigError
from triage.core.model import Desk


def test_a_key_is_made_at_the_first_start_and_stays(tmp_path: Path) -> None:
    file = tmp_path / "var" / "triage.key"
    made = keys.load(file)
    assert len(made) == 1 and len(made[0]) == 32
    assert file.stat().st_mode & 0o777 == 0o600
    assert keys.load(file) == made
    assert [one.name for one in file.parent.iterdir()] == ["triage.key"]


def test_no_two_keys_are_alike(tmp_path: Path) -> None:
    assert keys.load(tmp_path / "a") != keys.load(tmp_path / "b")


def test_of_many_first_starts_at_once_all_have_the_same_key(tmp_path: Path) -> None:
    found: list[tuple[bytes, ...]] = []
    starts = [threading.Thread(target=lambda: found.append(keys.load(tmp_path / "key"))) for _ in range(8)]
    for start in starts:
        start.start()
    for start in starts:
        start.join()
    assert len(found) == 8 and len(set(found)) == 1


def test_after_a_rotation_a_new_key_signs_and_the_last_ones_are_known(tmp_path: Path) -> None:
    file = tmp_path / "key"
    before = keys.load(file)[0]
    token = threads.message_id(Desk(("a@b.example",), key=before), "1001", "x")
    for count in range(1, 7):
        keys.rotate(file)
        signing, *others = keys.load(file)
        assert signing != before and len(others) == min(count, 3)
        known = threads.own(token, Desk(("a@b.example",), key=signing, old_keys=tuple(others)))
        assert known == ("1001" if count < 4 else None)
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o622])
def test_a_key_that_others_can_read_or_change_is_refused(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "key"
    keys.load(file)
    file.chmod(mode)
    with pytest.raises(ConfigError, match=f"others can read the key; run chmod 600 {file}"):
        keys.load(file)


@pytest.mark.parametrize("content", ["", "secret", "00" * 31, "zz" * 32, "00" * 32 + "\nrest"])
def test_a_file_that_is_no_key_is_refused_and_not_shown(tmp_path: Path, content: str) -> None:
    file = tmp_path / "key"
    file.write_text(content)
    file.chmod(0o600)
    with pytest.raises(ConfigError, match="not a key file") as caught:
        keys.load(file)
    assert "secret" not in str(caught.value) and "00" * 20 not in str(caught.value)


def test_what_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be"):
        keys.load(tmp_path / "file" / "key")


def test_a_link_that_leads_nowhere_is_told(tmp_path: Path) -> None:
    (tmp_path / "key").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="leads to a file that is not there"):
        keys.load(tmp_path / "key")
    assert [path.name for path in tmp_path.iterdir()] == ["key"]

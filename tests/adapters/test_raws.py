"""Kept mail: for our eyes only, for as long and as much as configured."""

from __future__ import annotations

import os
import resource
from datetime import UTC, datetime, timedelta
from pathlib import Path

from triage.adapters.raws import Raws

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
PRINTS = [f"{number:02x}" * 32 for number in range(8)]


def aged(folder: Path, fingerprint: str, days: float) -> None:
    at = (NOW - timedelta(days=days)).timestamp()
    os.utime(folder / fingerprint[:2] / f"{fingerprint}.eml", (at, at))


def test_a_mail_is_kept_and_given_back(tmp_path: Path) -> None:
    raws = Raws(tmp_path / "raw", 30, 10)
    raws.keep(PRINTS[0], b"mail")
    assert raws.get(PRINTS[0]) == b"mail" and raws.get(PRINTS[1]) is None
    raws.drop(PRINTS[0])
    raws.drop(PRINTS[0])
    assert raws.get(PRINTS[0]) is None


def test_nobody_else_can_read_it(tmp_path: Path) -> None:
    Raws(tmp_path / "raw", 30, 10).keep(PRINTS[0], b"mail")
    modes = [path.stat().st_mode & 0o777 for path in (tmp_path / "raw").rglob("*")]
    assert sorted(modes) == [0o600, 0o700] and (tmp_path / "raw").stat().st_mode & 0o777 == 0o700


def test_a_second_copy_takes_the_place_of_the_first(tmp_path: Path) -> None:
    raws = Raws(tmp_path, 30, 10)
    raws.keep(PRINTS[0], b"longer than the second")
    raws.keep(PRINTS[0], b"second")
    assert raws.get(PRINTS[0]) == b"second"


def test_a_doubtful_copy_takes_no_place(tmp_path: Path) -> None:
    raws = Raws(tmp_path / "raw", 30, 10)
    raws.keep(PRINTS[0], b"genuine")
    raws.keep(PRINTS[0], b"forged", replace=False)
    raws.keep(PRINTS[1], b"forged", replace=False)
    assert [raws.get(one) for one in PRINTS[:2]] == [b"genuine", b"forged"]


def test_of_a_large_mail_the_beginning_is_kept(tmp_path: Path) -> None:
    raws = Raws(tmp_path, 30, 10)
    raws.keep(PRINTS[0], b"x" * 6_000_000)
    assert len(raws.get(PRINTS[0]) or b"") == 5_000_000


def test_what_is_too_old_goes(tmp_path: Path) -> None:
    raws = Raws(tmp_path, 30, 10)
    for fingerprint, days in ((PRINTS[0], 31.0), (PRINTS[1], 29.0)):
        raws.keep(fingerprint, b"mail")
        aged(tmp_path, fingerprint, days)
    assert raws.sweep(NOW) == 1
    assert raws.get(PRINTS[0]) is None and raws.get(PRINTS[1]) == b"mail"


def test_beyond_the_size_the_oldest_go(tmp_path: Path) -> None:
    raws = Raws(tmp_path, 30, 1)
    for number, fingerprint in enumerate(PRINTS):
        raws.keep(fingerprint, b"x" * 300_000)
        aged(tmp_path, fingerprint, number)
    assert raws.sweep(NOW) == 5
    assert [raws.get(one) is not None for one in PRINTS] == [True] * 3 + [False] * 5


def test_with_no_days_nothing_is_kept(tmp_path: Path) -> None:
    raws = Raws(tmp_path / "raw", 0, 10)
    raws.keep(PRINTS[0], b"mail")
    assert not (tmp_path / "raw").exists() and raws.sweep(NOW) == 0


def test_a_name_that_is_no_fingerprint_leads_nowhere(tmp_path: Path) -> None:
    raws = Raws(tmp_path / "raw", 30, 10)
    raws.keep("../../escaped", b"mail")
    assert raws.get("../../etc/passwd") is None
    assert not list(tmp_path.parent.glob("**/*escaped*"))


def test_where_nothing_can_be_written_the_mail_is_handled_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "raw").write_text("a file in the place of the folder")
    raws = Raws(tmp_path / "raw", 30, 10)
    raws.keep(PRINTS[0], b"mail")
    assert raws.get(PRINTS[0]) is None and raws.sweep(NOW) == 0


def test_where_the_disk_is_full_no_half_mail_is_left(tmp_path: Path) -> None:
    raws = Raws(tmp_path / "raw", 30, 10)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        raws.keep(PRINTS[0], b"m" * 5000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert raws.get(PRINTS[0]) is None

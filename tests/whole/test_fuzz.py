"""A hundred thousand mutated mails go the whole way from bytes to a reading: no exception, no hang, no growth."""

from __future__ import annotations

import multiprocessing
import resource
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.adapters.mime_mutants import mutants
from triage.adapters import packs
from triage.adapters.mime import parse
from triage.core.model import Desk
from triage.core.reading.read import read

ROOT = Path(__file__).parents[2]
DESK = Desk(("support@vendor.example",), key=b"k" * 32)
LONGEST = 5.0  # seconds of one mail: a quarter of what a reader is given
GROWTH = 40  # megabytes, after the first tenth


@dataclass(frozen=True)
class Found:
    """What came of it."""

    faults: dict[str, bytes]
    slowest: float
    slowest_mail: bytes
    grown: int  # megabytes


def samples() -> list[bytes]:
    """Every mail of the tests, and the examples of every pack."""
    files = [*sorted((ROOT / "tests" / "mails").glob("*.eml")), *sorted((ROOT / "rules").glob("*/examples/*.eml"))]
    return [file.read_bytes() for file in files]


def read_many(count: int, seed: int) -> Found:
    pack = packs.load(packs.shipped_rules() / "navixy")
    faults: dict[str, bytes] = {}
    slowest, slowest_mail, memory = 0.0, b"", 0
    for number, mail in enumerate(mutants(samples(), count, seed)):
        began = time.process_time()
        try:
            email = parse(mail)
            if "unreadable" in email.defects:
                faults.setdefault(email.error, mail)
            else:
                read(email, pack, DESK)
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            faults.setdefault(f"{type(error).__name__}: {error} ({where.filename}:{where.lineno})"[:300], mail)
        took = time.process_time() - began
        if took > slowest:
            slowest, slowest_mail = took, mail
        if number == count // 10:
            memory = _megabytes()
    return Found(faults, slowest, slowest_mail, _megabytes() - memory)


def _megabytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def _check(found: list[Found], tmp_path: Path) -> None:
    faults = {text: mail for one in found for text, mail in one.faults.items()}
    worst = max(found, key=lambda one: one.slowest)
    for index, mail in enumerate((worst.slowest_mail, *faults.values())):
        (tmp_path / f"{index}.eml").write_bytes(mail)  # to look at, and to become a test
    print(f"slowest {worst.slowest:.2f} s, memory grown by {[one.grown for one in found]} MB; mails in {tmp_path}")
    assert not faults, f"{sorted(faults)}: {tmp_path}"
    assert worst.slowest < LONGEST
    assert all(one.grown < GROWTH for one in found)


def test_mutated_mails_are_read_to_the_end(tmp_path: Path) -> None:
    _check([read_many(500, seed=20261126)], tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_hundred_thousand_mutated_mails_are_read_to_the_end(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        _check(pool.starmap(read_many, [(50_000, 1), (50_000, 2)]), tmp_path)

"""Readers: whatever a mail does to one of them, it is that mail's failure alone."""

from __future__ import annotations

import ctypes
import io
import os
import pickle
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from triage.adapters import packs, readers
from triage.adapters.readers import Job, Read, Readers
from triage.core import threads
from triage.core.errors import Temporary
from triage.core.model import Desk, Email, Label, Reading
from triage.core.pack import Pack

PACK = packs.load(Path(__file__).parents[2] / "rules" / "navixy")
DESK = Desk(("support@vendor.example",), key=b"k" * 32)
GUARD = 60.0  # seconds for one mail where none is meant to be exceeded
AT = datetime(2026, 3, 2, 9, tzinfo=UTC)


def mail(subject: str) -> bytes:
    return f"From: ana@partner.example\nMessage-ID: <{subject}@x>\nSubject: {subject}\n\nWhy?\n".encode()


def misbehaving(pack: Pack, desk: Desk) -> Read:
    """Does as a mail's subject says."""
    good = readers.reader(pack, desk)

    def work(raw: bytes, received: datetime | None, made: frozenset[str] = frozenset(), /) -> tuple[Email, Reading]:
        email, reading = good(raw, received, made)
        match email.subject:
            case "hang":
                while True:
                    time.sleep(3600)
            case "spin":
                while True:
                    pass
            case "crash":
                os._exit(3)
            case "fault":
                ctypes.string_at(0)
            case "raise":
                raise RecursionError
            case "memory":
                bytearray(50_000_000_000)
            case "environment":
                email = Email(subject=",".join(sorted(os.environ)))
            case "process":
                email = Email(subject=Path("/proc/self/environ").read_text())
            case "open":
                email = Email(subject=",".join(os.readlink(f"/proc/self/fd/{fd}") for fd in _open()))
            case "key":
                email = Email(subject=(desk.key + b"".join(desk.old_keys)).hex() or "none")
            case "write":
                Path(f"/tmp/triage-test-{os.getpid()}").write_text("x")
            case "code":
                email = Email(subject=_Code())  # type: ignore[arg-type]
        return email, reading

    return work


def _open() -> list[str]:
    return [fd for fd in os.listdir("/proc/self/fd") if os.path.lexists(f"/proc/self/fd/{fd}")]


class _Code:
    def __reduce__(self) -> tuple[object, ...]:
        return os.system, ("echo taken over",)


def never_ready(pack: Pack, desk: Desk) -> Read:
    os._exit(1)


@pytest.fixture
def two() -> Iterator[Readers]:
    made = Readers(PACK, DESK, 2, GUARD, misbehaving)
    yield made
    made.close()


def read(some: Readers, *subjects: str) -> list[tuple[int, str]]:
    jobs = (Job(number, mail(subject), AT) for number, subject in enumerate(subjects))
    return [(done.key, done.failure or (done.email.subject if done.email else "")) for done in some.read(jobs)]


def test_mails_come_back_in_their_order(two: Readers) -> None:
    subjects = [f"Question {number}" for number in range(20)]
    assert read(two, *subjects) == list(enumerate(subjects))


def test_a_reading_comes_back_whole(two: Readers) -> None:
    (done,) = two.read([Job(7, mail("Report"), AT)])
    alone = next(iter(Readers(PACK, DESK, 0, GUARD).read([Job(7, mail("Report"), AT)])))
    assert done == alone and done.reading and isinstance(done.reading.kind, Label)
    assert done.email and done.email.received == AT


@pytest.mark.parametrize("how", ["hang", "spin"])
def test_a_mail_that_takes_too_long_is_ended_and_the_next_goes_on(how: str) -> None:
    some = Readers(PACK, DESK, 1, 1.0, misbehaving)
    try:
        assert read(some, "before", how, "after") == [
            (0, "before"), (1, "took longer than 1 seconds to read"), (2, "after"),
        ]  # fmt: skip
    finally:
        some.close()


@pytest.mark.parametrize("how", ["crash", "fault"])
def test_a_mail_that_ends_its_reader_fails_alone(two: Readers, how: str) -> None:
    got = read(two, "before", how, "after", "later")
    assert got == [(0, "before"), (1, "ended the process that read it"), (2, "after"), (3, "later")]


@pytest.mark.parametrize(
    ("how", "failure"),
    [
        ("raise", "reading failed: RecursionError"),
        ("memory", "reading failed: MemoryError"),
        ("write", "reading failed: OSError"),
        ("code", "was answered with what is no reading: UnpicklingError"),
    ],
)
def test_whatever_else_it_does_fails_alone(
    two: Readers, how: str, failure: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert read(two, "before", how, "after") == [(0, "before"), (1, failure), (2, "after")]
    assert "taken over" not in capfd.readouterr().out


@pytest.mark.parametrize("count", [0, 1])
def test_a_reader_has_no_key_and_knows_our_message_ids_all_the_same(count: int) -> None:
    desk = replace(DESK, old_keys=(b"o" * 32,))
    some = Readers(PACK, desk, count, GUARD, misbehaving)
    ours = threads.message_id(replace(desk, key=b"o" * 32), "1001", "seed")  # before a rotation of the key
    forged = threads.message_id(replace(desk, key=b"f" * 32), "1001", "seed")
    jobs = [Job(n, mail("Why?").replace(b"<Why?@x>", one.encode()), AT) for n, one in enumerate((ours, forged))]
    try:
        assert read(some, "key") == [(0, "none")]
        kinds = [done.reading.kind.value for done in some.read(jobs) if done.reading]
    finally:
        some.close()
    assert kinds[0] == "loop" != kinds[1]


def test_a_reader_has_no_password_of_the_environment(two: Readers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIAGE_MAILBOX__PASSWORD", "hunter2")
    ((_, names),) = read(two, "environment")
    assert "TRIAGE_MAILBOX__PASSWORD" not in names and "PATH" in names


def test_the_server_that_forks_readers_is_started_without_passwords(tmp_path: Path) -> None:
    """In a process of its own: here it may have been started already."""
    import subprocess
    import sys

    script = tmp_path / "start.py"
    script.write_text(
        "from tests.adapters.test_readers import *\n"
        "if __name__ == '__main__':\n"
        "    some = Readers(PACK, DESK, 1, GUARD, misbehaving)\n"
        "    print(read(some, 'process'), read(some, 'open'), os.environ['PGPASSWORD'])\n"
        "    some.close()\n"
    )
    secret = open(tmp_path / "secret", "w")  # noqa: SIM115 - stays open, as our own files and connections do
    environment = {**os.environ, "TRIAGE_SMTP__PASSWORD": "hunter2", "PGPASSWORD": "hunter3"}
    environment["PYTHONPATH"] = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, env=environment, timeout=300, cwd=tmp_path
    )
    secret.close()
    assert done.stdout.rstrip().endswith("hunter3"), done.stderr
    assert "hunter2" not in done.stdout and done.stdout.count("hunter3") == 1
    assert "secret" not in done.stdout


def test_an_answer_that_nobody_waited_for_is_not_taken_for_another(two: Readers) -> None:
    for done in two.read(Job(number, mail(f"old {number}"), AT) for number in range(8)):
        assert done.key == 0
        break
    assert read(two, "new 0", "new 1", "new 2") == [(0, "new 0"), (1, "new 1"), (2, "new 2")]


def test_the_same_key_twice_is_two_mails(two: Readers) -> None:
    jobs = [Job(1, mail("one"), AT), Job(1, mail("two"), AT)]
    assert [done.email.subject for done in two.read(jobs) if done.email] == ["one", "two"]


def test_a_reader_that_never_comes_up_blames_no_mail() -> None:
    some = Readers(PACK, DESK, 1, GUARD, never_ready)
    with pytest.raises(Temporary, match="did not come up"):
        read(some, "innocent")
    some.close()


def test_no_process_is_left_behind() -> None:
    some = Readers(PACK, DESK, 2, GUARD, misbehaving)
    read(some, "one", "two")
    processes = [child._process for child in some._children]
    some.close()
    assert all(process.exitcode is not None for process in processes)


@pytest.mark.parametrize("name", ["os.system", "builtins.eval", "triage.core.model.dataclass", "triage.core.model.os"])
def test_an_answer_is_made_of_our_nouns_only(name: str) -> None:
    module, _, word = name.rpartition(".")
    with pytest.raises(pickle.UnpicklingError):
        readers._Answer(io.BytesIO(b"c" + f"{module}\n{word}\n.".encode())).load()

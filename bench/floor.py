"""The physical floor: the same bytes fetched, parsed, committed and answered, with nothing done in between.

Fetched with imapclient in batches, parsed by the standard library (headers and structure, no policy), one durable
commit a mail, one reply of 5 KB a mail on one kept SMTP connection; one after the other, in one process.
"""

from __future__ import annotations

import email
import smtplib
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from imapclient import IMAPClient

BATCH = 50
REPLY = b"From: support@vendor.example\r\nTo: someone@fleet.example\r\nSubject: Re: mail\r\n\r\n" + b"An answer. " * 450
ROW = "x" * 4000  # what a mail, its ticket and its reply take


@dataclass(frozen=True, slots=True)
class Floor:
    """Seconds for all mails."""

    fetch: float
    parse: float
    commit: float
    send: float

    @property
    def seconds(self) -> float:
        return self.fetch + self.parse + self.commit + self.send


def measure(
    host: str, port: int, user: str, password: str, folder: str, database: str, scratch: Path, sink: int
) -> Floor:
    fetching = parsing = 0.0
    count = 0
    with IMAPClient(host, port, ssl=False) as client:
        client._imap.debug = 0
        client.login(user, password)
        client.select_folder(folder, readonly=True)
        uids = client.search()
        for start in range(0, len(uids), BATCH):
            began = time.perf_counter()
            got = client.fetch(uids[start : start + BATCH], ["BODY.PEEK[]"])
            fetched = time.perf_counter()
            for item in got.values():
                email.message_from_bytes(item[b"BODY[]"])
            fetching += fetched - began
            parsing += time.perf_counter() - fetched
            count += len(got)
    return Floor(fetching, parsing, _committing(count, database, scratch), _sending(count, sink))


def _committing(count: int, database: str, scratch: Path) -> float:
    commit = _postgres(database) if database.startswith("postgresql") else _sqlite(scratch / "floor.db")
    began = time.perf_counter()
    for number in range(count):
        commit(number)
    return time.perf_counter() - began


def _sqlite(file: Path) -> Callable[[int], None]:
    for old in file.parent.glob(f"{file.name}*"):
        old.unlink()
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE floor (number INTEGER PRIMARY KEY, row TEXT)")

    def commit(number: int) -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO floor VALUES (?, ?)", (number, ROW))
        connection.execute("COMMIT")

    return commit


def _postgres(url: str) -> Callable[[int], None]:
    import psycopg

    connection = psycopg.connect(url.replace("+psycopg", ""))
    connection.execute("CREATE TABLE floor (number bigint PRIMARY KEY, row text)")
    connection.commit()

    def commit(number: int) -> None:
        connection.execute("INSERT INTO floor VALUES (%s, %s)", (number, ROW))
        connection.commit()

    return commit


def _sending(count: int, port: int) -> float:
    with smtplib.SMTP("127.0.0.1", port) as smtp:
        began = time.perf_counter()
        for _ in range(count):
            smtp.sendmail("support@vendor.example", ["someone@fleet.example"], REPLY)
        return time.perf_counter() - began

"""What the tests of the whole program share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.servers.dovecot import Dovecot
from tests.servers.smtpd import Smtpd
from tests.whole.desk import Desk, Person


@pytest.fixture
def make_desk(tmp_path: Path, dovecot: Dovecot, smtpd: Smtpd, mailbox_user: str) -> Iterator[Callable[..., Desk]]:
    """Makes a desk on Dovecot and a real SMTP server; keywords change the configuration's sections."""
    desks: list[Desk] = []

    def make(name: str = "", **changes: Any) -> Desk:
        folder = tmp_path / (name or f"desk{len(desks)}")
        folder.mkdir()
        values = {"imap": dovecot.imap, "smtp": smtpd.port, "user": mailbox_user} | changes
        desks.append(Desk(folder, **values))
        return desks[-1]

    yield make
    for desk in desks:
        desk.close()


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    return make_desk()


@pytest.fixture
def person(dovecot: Dovecot, mailbox_user: str) -> Iterator[Person]:
    """Somebody who looks into the mailbox with another mail program."""
    one = Person(dovecot.imap, mailbox_user)
    yield one
    one.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str:
    """The URL of an empty database of each kind; "" is the desk's own SQLite file."""
    return str(request.getfixturevalue("postgres_url")) if request.param == "postgresql" else ""

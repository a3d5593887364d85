"""Servers that the tests share. One that is not installed fails the tests that need it, with what to install;
TRIAGE_TESTS_SKIP_SERVERS=1 skips them instead.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from tests import stores
from tests.servers import certificates
from tests.servers.daemon import Missing
from tests.servers.dovecot import Dovecot
from tests.servers.postgres import Postgres
from tests.servers.smtpd import Smtpd
from triage.adapters.db.store import Store

Server = TypeVar("Server")
_users = itertools.count(1)


def pytest_configure(config: pytest.Config) -> None:
    # aiosmtpd warns of log-in without TLS, which on loopback is meant, and of a name of its own.
    config.addinivalue_line("filterwarnings", "ignore:Requiring AUTH:UserWarning")
    config.addinivalue_line("filterwarnings", "ignore:Session.login_data:DeprecationWarning")


def _start(make: Callable[[], Server]) -> Server:
    try:
        return make()
    except Missing as missing:
        what = str(missing)
    if os.environ.get("TRIAGE_TESTS_SKIP_SERVERS"):
        pytest.skip(what)
    pytest.fail(what, pytrace=False)


@pytest.fixture(scope="session")
def dovecot() -> Iterator[Dovecot]:
    """A real IMAP server. Take a `mailbox_user` of your own in it."""
    server = _start(Dovecot)
    yield server
    server.stop()


@pytest.fixture
def mailbox_user() -> str:
    """The name of a user of Dovecot that no other test uses: an empty mailbox."""
    return f"support{next(_users)}"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A real PostgreSQL."""
    server = _start(Postgres)
    yield server
    server.stop()


@pytest.fixture
def postgres_url(postgres: Postgres) -> str:
    """The URL of an empty PostgreSQL database."""
    return postgres.new_database()


@pytest.fixture
def store() -> Iterator[Store]:
    """An empty store in memory."""
    with stores.empty() as made:
        yield made


@pytest.fixture(params=["sqlite", "postgresql"])
def any_store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """An empty store, on SQLite and on PostgreSQL: for what depends on the database."""
    url = stores.IN_MEMORY if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    with stores.empty(url) as made:
        yield made


@pytest.fixture
def smtpd() -> Iterator[Smtpd]:
    """A real SMTP server that keeps what it takes, and misbehaves when told to."""
    with Smtpd() as server:
        yield server


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(certificate, key) of localhost; the certificate is its own CA."""
    return _start(lambda: certificates.make(tmp_path_factory.mktemp("tls")))

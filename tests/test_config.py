"""The configuration: every fault is told, secrets are not, the example is true."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from triage import config, permissions
from triage.core.errors import ConfigError

EXAMPLE = Path(__file__).parents[1] / "config.example.toml"


def written(folder: Path, text: str) -> Path:
    file = folder / "config.toml"
    file.write_text(text)
    return file


def test_the_example_shows_every_key_with_its_default() -> None:
    shown = tomllib.loads(EXAMPLE.read_text())
    defaults = config.Config().model_dump()
    defaults["mailbox"] = defaults["mailbox"][0]
    del defaults["mailbox"]["since"]  # shown as a comment: it has no value by default

    def plain(value: object) -> object:
        if isinstance(value, dict):
            return {key: plain(inner) for key, inner in value.items()}
        return value.get_secret_value() if isinstance(value, SecretStr) else value

    assert shown == plain(defaults)
    assert "# since = " in EXAMPLE.read_text()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[mailbox]\nhst = 'x'", "mailbox.hst: no such key; did you mean mailbox.host?"),
        ("[smpt]\nhost = 'x'", "smpt: no such key; did you mean smtp?"),
        ("[mailbox]\nport = 99999", "mailbox.port: Input should be less than or equal to 65535"),
        ("[mailbox]\nsince = 2026-01-01T00:00:00", "mailbox.since: give the offset too"),
        ("[staff]\naddresses = ['ana']", "staff.addresses.0: 'ana' is neither a mailbox"),
        ("[mailbox", "not valid TOML"),
        ("[mailbox]\npassword = 'a'\npassword_file = 'b'", "password: given itself and as password_file"),
        ("[mailbox]\npassword_file = 'nowhere'", "password_file: nowhere cannot be read: No such file or directory"),
        ("[mailbox.folders]\nredy = 'x'", "mailbox.folders.redy: no such key; did you mean mailbox.folders.ready?"),
    ],
)
def test_a_fault_names_the_key_and_the_way_to_mend_it(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config.load(written(tmp_path, text), {})
    assert said in str(caught.value)


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        config.load(written(tmp_path, "[mailbox]\nhst = 'x'\nport = -1\n[log]\nlevel = 'loud'"), {})
    assert len(str(caught.value).split("\n")) == 3


def test_a_secret_never_stands_in_an_error(tmp_path: Path) -> None:
    file = written(tmp_path, "[mailbox]\npassword = 'hunter2'\nport = 'hunter2'\nuser = ['hunter2']")
    with pytest.raises(ConfigError) as caught:
        config.load(file, {"TRIAGE_SMTP__PASSWORD": "hunter2", "TRIAGE_SMTP__PORT": "hunter2"})
    assert "hunter2" not in str(caught.value)


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    file = written(tmp_path, "[mailbox]\nhost = 'file'\nuser = 'file'")
    loaded = config.load(
        file,
        {
            "TRIAGE_MAILBOX__HOST": "environment",
            "TRIAGE_MAILBOX__FOLDERS__READY": "Done",
            "TRIAGE_STAFF__ADDRESSES": "@vendor.example, ana@vendor.example",
            "TRIAGE_LIMITS__READERS": "0",
        },
    )
    box = loaded.config.mailbox[0]
    assert (box.host, box.user, box.folders.ready) == ("environment", "file", "Done")
    assert loaded.config.staff.addresses == ["@vendor.example", "ana@vendor.example"]
    assert loaded.config.limits.readers == 0


def test_an_unknown_variable_names_the_nearest_known() -> None:
    with pytest.raises(ConfigError, match="TRIAGE_MAILBOX__HSOT: no such key; did you mean TRIAGE_MAILBOX__HOST"):
        config.load(None, {"TRIAGE_MAILBOX__HSOT": "x"})


def test_a_secret_can_stand_in_a_file_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter2\n")
    loaded = config.load(written(tmp_path, "[mailbox]\npassword_file = 'secret'"), {})
    assert loaded.config.mailbox[0].password.get_secret_value() == "hunter2"


def test_the_url_of_a_database_can_stand_in_a_file_of_its_own_and_its_password_is_a_secret(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgresql://triage:hunter2@db.example/triage\n")
    loaded = config.load(written(tmp_path, "[database]\nurl_file = 'url'"), {})
    assert loaded.database_url == "postgresql://triage:hunter2@db.example/triage"
    assert "hunter2" in loaded.secrets
    assert [file.name for file in permissions._secret_files(loaded)] == ["url"]
    with pytest.raises(ConfigError, match=r"database\.url: given itself and as url_file"):
        config.load(written(tmp_path, "[database]\nurl = 'sqlite://'\nurl_file = 'url'"), {})


def test_relative_paths_start_at_the_configuration(tmp_path: Path) -> None:
    loaded = config.load(written(tmp_path, ""), {})
    assert loaded.database_url == f"sqlite:///{tmp_path}/var/triage.db"
    assert loaded.var == tmp_path / "var"


def test_several_mailboxes_are_several_sections(tmp_path: Path) -> None:
    loaded = config.load(written(tmp_path, "[[mailbox]]\nhost = 'a'\n[[mailbox]]\nhost = 'b'"), {})
    assert [box.host for box in loaded.config.mailbox] == ["a", "b"]


def test_times_are_told_in_utc(tmp_path: Path) -> None:
    loaded = config.load(written(tmp_path, "[mailbox]\nsince = 2026-01-01T02:00:00+02:00"), {})
    assert loaded.config.mailbox[0].since == datetime(2026, 1, 1, tzinfo=UTC)


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no such file; copy config\.example\.toml"):
        config.load(tmp_path / "none.toml", {})

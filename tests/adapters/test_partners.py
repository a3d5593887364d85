"""The partner file: what a spreadsheet exports, or every fault with its line."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from triage.adapters import packs, partners
from triage.core.errors import ConfigError

PACK = packs.load(Path(__file__).parents[2] / "rules" / "navixy")
HEADER = "partner,deployment,subscription_until,address,role,language,timezone,status"


def written(folder: Path, *lines: str, header: str = HEADER, encoding: str = "utf-8", end: str = "\n") -> Path:
    file = folder / "partners.csv"
    file.write_bytes(end.join((header, *lines, "")).encode(encoding))
    return file


def test_a_line_is_a_contact(tmp_path: Path) -> None:
    file = written(tmp_path, "Acme GPS,On-premise,2026-12-31,Ana@Acme.Example,Technician,ES,America/Mexico_City,Active")
    (found,), faults = partners.read(file, PACK)
    assert not faults
    assert (found.partner, found.deployment, found.address) == ("Acme GPS", "on_premise", "ana@acme.example")
    assert (found.role, found.language, found.timezone, found.status) == (
        "technician",
        "es",
        "America/Mexico_City",
        "active",
    )
    assert found.subscription_until and datetime(2026, 12, 31, 23, tzinfo=UTC) < found.subscription_until


def test_the_last_day_of_a_subscription_counts_whole(tmp_path: Path) -> None:
    (found,), _ = partners.read(written(tmp_path, "Acme,cloud,2026-12-31,@acme.example,,,,"), PACK)
    assert found.subscription_until and found.subscription_until.date() >= datetime(2026, 12, 31).date()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_any_spreadsheets_encoding_is_read(tmp_path: Path, encoding: str) -> None:
    (found,), faults = partners.read(written(tmp_path, "Señal Año,paas,,a@b.example,,,,", encoding=encoding), PACK)
    assert (found.partner, faults) == ("Señal Año", [])


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_any_spreadsheets_delimiter_is_read(tmp_path: Path, delimiter: str) -> None:
    line, header = ("Acme,paas,,a@b.example,,,,".replace(",", delimiter), HEADER.replace(",", delimiter))
    assert partners.read(written(tmp_path, line, header=header, end="\r\n"), PACK)[0][0].address == "a@b.example"


def test_a_domain_in_other_letters_is_kept_in_ascii(tmp_path: Path) -> None:
    (one, two), _ = partners.read(
        written(tmp_path, "A,paas,,@Bücher.example,,,,", "A,paas,,x@BÜCHER.example,,,,"), PACK
    )
    assert (one.address, two.address) == ("@xn--bcher-kva.example", "x@xn--bcher-kva.example")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("Acme,paas,,@gmail.com,,,,", "line 2: address: @gmail.com gives mailboxes to anybody"),
        ("Acme,paas,,@Hotmail.Com,,,,", "gives mailboxes to anybody"),
        ("Acme,paas,,@com.mx,,,,", "gives mailboxes to anybody"),
        ("Acme,paas,,@example,,,,", "is neither a mailbox"),
        ("Acme,paas,,ana.acme.example,,,,", "is neither a mailbox"),
        ("Acme,paas,,ana@acme@evil.example,,,,", "is neither a mailbox"),
        ("Acme,paas,,Ana <ana@acme.example>,,,,", "is neither a mailbox"),
        ('Acme,paas,,"ana@acme.example,bob@acme.example",,,,', "is neither a mailbox"),
        ("Acme,paas,,a\x1b[2Jb@acme.example,,,,", "'a\\x1b[2Jb@acme.example' is neither"),
        ("Acme,paas,,,,,,", "is neither a mailbox"),
        (",paas,,a@b.example,,,,", "partner: empty"),
        (f"{'x' * 201},paas,,a@b.example,,,,", "partner: longer than 200"),
        ("Acme,hosted,,a@b.example,,,,", "deployment: 'hosted' is none of paas"),
        ("Acme,on_premise,,a@b.example,,,,", "subscription_until: empty; on_premise needs"),
        ("Acme,on_premise,soon,a@b.example,,,,", "subscription_until: 'soon' is not a date"),
        ("Acme,paas,,a@b.example,boss,,,", "role: 'boss' is none of partner, technician"),
        ("Acme,paas,,a@b.example,,fr,,", "language: 'fr' is none of en, es"),
        ("Acme,paas,,a@b.example,,,Mars/Crater,", "timezone: 'Mars/Crater' is not an IANA"),
        ("Acme,paas,,a@b.example,,,../../etc/passwd,", "timezone: '../../etc/passwd' is not an IANA"),
        (
            "Acme,paas,,a@b.example,,,,suspend",
            "status: 'suspend' is none of active, suspended; did you mean suspended?",
        ),
        ("Acme,paas,,a@b.example,,,,,more", "line: 9 cells, but the header has 8"),
        ("Acme,paas,,a@b.example,,,,\nAcme,paas,,A@b.example,,,,", "line 3: a@b.example stands in line 2 too"),
        ('Acme,paas,,"a@b.example,,,,', "not valid CSV"),
    ],
)
def test_a_fault_is_told_with_its_line(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        partners.load(written(tmp_path, line), PACK)
    assert said in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_a_mailbox_at_a_free_provider_is_a_contact(tmp_path: Path) -> None:
    assert partners.load(written(tmp_path, "Acme,paas,,acme.gps@gmail.com,,,,"), PACK).contacts("acme.gps@gmail.com")


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("partner,deployment,adress", "no such column 'adress'; did you mean address?"),
        ("partner,address", "column 'deployment' is missing"),
        ("partner,deployment,address,address", "column 'address' is there twice"),
        ("", "column 'partner' is missing"),
    ],
)
def test_a_faulty_header_is_told(tmp_path: Path, header: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said.replace("?", r"\?")):
        partners.load(written(tmp_path, "Acme,paas,a@b.example", header=header), PACK)


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    _, faults = partners.read(written(tmp_path, ",x,,y,,,,", "Acme,paas,,@gmail.com,,,,"), PACK)
    assert [fault.key for fault in faults] == ["line 2"] * 3 + ["line 3"]


def test_an_empty_or_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no contact in it"):
        partners.load(written(tmp_path), PACK)
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        partners.load(tmp_path / "none.csv", PACK)


def test_one_person_may_stand_in_several_lines(tmp_path: Path) -> None:
    file = written(
        tmp_path, "Acme,paas,,a@b.example,,,,", "Acme,cloud,2026-12-31,a@b.example,,,,", "Beta,paas,,a@b.example,,,,"
    )
    assert len(partners.load(file, PACK).contacts("a@b.example")) == 3


def test_a_partners_name_cannot_break_a_line(tmp_path: Path) -> None:
    (found,), _ = partners.read(written(tmp_path, '"Acme\n\x1b[31m GPS",paas,,a@b.example,,,,'), PACK)
    assert found.partner == "Acme [31m GPS"

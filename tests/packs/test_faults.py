# ruff: noqa: E501
"""A pack with faults is refused with all of them: file, place, what was found, what would be right."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.packs.conftest import faults_of
from triage.adapters import packs
from triage.core.errors import Fault, PackError

Spoil = Callable[[str, str, str], list[Fault]]


def test_the_unspoiled_copy_has_no_fault(folder: Path) -> None:
    assert faults_of(folder) == []


@pytest.mark.parametrize(
    ("file", "old", "new", "where", "says"),
    [
        ("targets.toml", "hours = 2", 'hours = "two"', "hours", "found 'two'; should be a number"),
        ("targets.toml", "hours = 2", "hours = 0", "hours", "found 0; should be above 0"),
        ("targets.toml", "hours = 2", "hours = inf", "hours", "should be a number that is finite"),
        ("targets.toml", "hours = 2", "hours = 99999", "hours", "should be at most 2000"),
        ("policy.toml", '"05:30"', '"5:30"', "digest_at", "should be a time, HH:MM"),
        ("targets.toml", "guaranteed = true", 'guaranteed = "yes"', "guaranteed", "should be true or false"),
        ("targets.toml", 'severities = ["2"]', 'severites = ["2"]', "severites", "did you mean 'severities'?"),
        ("targets.toml", 'severities = ["2"]', 'severities = ["4"]', "severities[1]", "'4' is not in severities; known: 1"),
        ("targets.toml", '["on_premise", "cloud"]', '["on_premise", "clout"]', "deployments[2]", "did you mean 'cloud'?"),
        ("services.toml", 'id = "api"', 'id = "a p i"', "id", "should be an id: letters, digits"),
        ("services.toml", 'id = "api"', 'id = "features"', "id", "'features' is taken by services.toml, line"),
        ("services.toml", 'clause = "table_api"', 'clause = "table_apis"', "clause", "did you mean 'table_api'?"),
        ("services.toml", 'self_hosted = "log_based', 'self_hosted = "logs_based', "cells.self_hosted", "did you mean 'log_b"),
        ("services.toml", ', self_hosted = "not_provided"', "", "cells", "the column 'self_hosted' is missing"),
        ("services.toml", "[[cell]]", "[[sell]]", "sell", "unknown table; did you mean 'cell'?"),
        ("services.toml", "[[cell]]", "[cell]", "", "is not TOML"),
        ("scopes.toml", "says.es = ", "says.fr = ", "says", "has no text in 'es'; every language of en, es needs one"),
        ("scopes.toml", "says.es = ", "says.ess = ", "says.ess", "is no language of this pack; did you mean 'es'?"),
        ("fields.toml", 'asks.es = "qué ocurre', 'asks.es = "" # ', "asks.es", "is empty; write a text"),
        ("fields.toml", 'names = { en = "description", es = "descripción" }', 'names = "description"', "names", "{en = "),
        ("fields.toml", 'reader = "evidence"', 'reader = "evidense"', "reader", "perhaps 'evidence'"),
        ("calendars.toml", 'zone = "UTC"', 'zone = "Europe/Madird"', "zone", "did you mean 'Europe/Madrid'?"),
        ("calendars.toml", "fri = [", "fry = [", "windows.fry", "perhaps 'fri'"),
        ("calendars.toml", '"05:00-13:00"', '"5-13"', "windows.mon", "write it as HH:MM-HH:MM"),
        ("calendars.toml", '["05:00-13:00"]', '["05:00-13:00", "12:00-14:00"]', "windows.mon", "overlap; make them one"),
        ("calendars.toml", '["05:00-13:00"]', '["05:00-24:30"]', "windows.mon", "up to 24:00"),
        ("calendars.toml", 'zone = "UTC"', 'zone = "UTC"\nholidays = [{country = "SP"}]', "holidays[1]", "two letters"),
        ("calendars.toml", 'zone = "UTC"', 'zone = "UTC"\nholidays = [{country = "ES", region = "MDR"}]', "holidays[1]", "'MD'"),
        ("calendars.toml", 'zone = "UTC"', 'zone = "UTC"\nholidays = [{contry = "ES"}]', "holidays[1].contry", "did you mean 'co"),
        ("calendars.toml", 'zone = "UTC"', 'zone = "UTC"\ndays_off = ["2026-01-01"]', "days_off[1]", "a date, 2026-01-31, without"),
        ("calendars.toml", 'zone = "UTC"', 'zone = "UTC"\ndays_on = {2026-13-01 = []}', "days_on.2026-13-01", "month must be"),
        ("calendars.toml", 'zone = "UTC"', 'zone = "UTC"\ndays_on = {xmas = []}', "days_on.xmas", "should be a date, 2026-01-31"),
        ("calendars.toml", 'mon = ["05:00-13:00"]', 'mon = ["22:00-06:00"]', "windows.mon", "goes on into tue, where 05:00-13:00"),
        ("calendars.toml", 'zone = "UTC"', 'zone = "Mars/Olympus"', "zone", "no IANA time zone; nothing known is like it"),
        ("severities.toml", "rank = 2", "rank = 1", "rank", "found 1, which is that of '1'; which of the two is the graver?"),
        ("severities.toml", "rank = 1", "rank = 0", "rank", "should be at least 1"),
        ("severities.toml", '[[request_type]]', '[[request_type]]\nclause = "tabel"', "clause", "did you mean 'table'?"),
        ("services.toml", 'documentation = "https:', 'documentation = "www:', "documentation", "should be the address of a page"),
        ("fields.toml", 'reader = "evidence"', 'reader = "forms"', "reader", 'no [[form]] has the signal "field.evidence"'),
        ("policy.toml", 'digest_at = "05:30"', 'digest_at = "13:00"', "digest_at", "nobody works then or later"),
        ("policy.toml", "remind_after_days = 3", "remind_after_days = 10", "remind_after_days", "or nobody is reminded"),
        ("policy.toml", "kind = 0.5", "kind = 50", "kind", "should be at most 1"),
        ("pack.toml", "title =", 'replies_of = ["acme"]\ntitle =', "replies_of", "is this pack itself"),
        ("pack.toml", "title =", 'words_of = { acme = ["kind"] }\ntitle =', "words_of.acme", "is this pack itself"),
        ("policy.toml", 'calendar = "weekdays"', 'calendar = "weekday"', "calendar", "did you mean 'weekdays'?"),
        ("policy.toml", "remind_after_days", "remind_after_day", "remind_after_day", "did you mean 'remind_after_days'?"),
        ("policy.toml", "ask_at_most = 2", "ask_at_most = -1", "ask_at_most", "should be at least 0"),
        ("policy.toml", 'fallback_severity = "3"', 'fallback_severity = "5"', "fallback_severity", "'5' is not in severities"),
        ("pack.toml", "in_force = 2024-01-01", 'in_force = "2024-01-01"', "in_force", "should be a date"),
        ("pack.toml", 'version = "1.0"', "", "version", "is missing"),
        ("pack.toml", 'languages = ["en", "es"]', 'languages = ["en", "es", "en"]', "languages", "'en' stands there twice"),
        ("clauses.toml", 'carriers = ["check sender", "text', 'carriers = ["chek sender", "text', "carriers[1]", "or people"),
        ("clauses.toml", '["check sender", "text stranger", "text suspended"]', "[]", "carriers", "at least one entry"),
        ("clauses.toml", '"check mailbox"', '"check mailboxes"', "carriers[1]", "did you mean 'mailbox'?"),
        ("clauses.toml", '"value targets.paas-reply"', '"value targets.paas_reply"', "carriers[1]", "did you mean 'paas-reply'?"),
        ("clauses.toml", '"value policy.questions"', '"value policy.question"', "carriers[1]", "did you mean 'questions'?"),
        ("requirements.toml", "asks.evidence", "asks.evidense", "asks.evidense", "this entry does not ask for it; did you mean 'evidence'?"),
        ("requirements.toml", 'one_of = [["evidence", "actions"]]', 'one_of = [["evidnce"]]', "one_of[1][1]", "'evidence'?"),
    ],
)  # fmt: skip
def test_a_fault_says_where_it_is_and_what_would_be_right(
    spoil: Spoil, file: str, old: str, new: str, where: str, says: str
) -> None:
    faults = spoil(file, old, new)
    told = [fault for fault in faults if fault.file == f"acme/{file}" and says in fault.message]
    assert told, faults
    assert any(where in fault.key for fault in told)


def test_all_faults_of_all_files_are_told_at_once(spoil: Spoil, folder: Path) -> None:
    spoil("targets.toml", "hours = 2", "hours = -2")
    spoil("services.toml", 'clause = "table_api"', 'clause = "nowhere"')
    faults = spoil("calendars.toml", 'zone = "UTC"', 'zone = "Mars"')
    assert {fault.file for fault in faults} == {"acme/targets.toml", "acme/services.toml", "acme/calendars.toml"}


def test_faults_of_texts_are_told_beside_those_of_entries(spoil: Spoil, folder: Path) -> None:
    shutil.copytree(packs.shipped_rules() / "navixy" / "replies", folder / "replies")
    spoil("replies/es/accepted.txt", "{{ due }}", "{{ duee }}")
    faults = spoil("targets.toml", "hours = 2", 'hours = "two"')
    assert {fault.file for fault in faults} == {"acme/targets.toml", "acme/replies/es/accepted.txt"}
    faults = spoil("policy.toml", "ask_at_most = 2", 'ask_at_most = "two"')
    assert {fault.file.rpartition("/")[2] for fault in faults} == {"targets.toml", "accepted.txt", "policy.toml"}


@pytest.mark.parametrize("file", ["clauses.toml", "services.toml", "fields.toml"])
def test_a_chapter_that_cannot_be_read_is_told_once_and_not_by_all_that_name_it(spoil: Spoil, file: str) -> None:
    (fault,) = spoil(file, "", "\n[[broken\n")
    assert (fault.file, "is not TOML" in fault.message) == (f"acme/{file}", True)


def test_a_chapter_that_is_missing_is_told_once(folder: Path) -> None:
    (folder / "clauses.toml").unlink()
    (fault,) = faults_of(folder)
    assert (fault.file, fault.key) == ("acme/clauses.toml", "[[clause]]")


def test_a_broken_entry_is_not_told_again_by_those_that_refer_to_it(spoil: Spoil) -> None:
    faults = spoil("calendars.toml", 'clause = "onpremise_hours"', 'clauses = "onpremise_hours"')
    assert {fault.key.split(", ")[-1] for fault in faults} == {"clause", "clauses"}


def test_the_line_of_an_entry_is_told(spoil: Spoil, folder: Path) -> None:
    (fault,) = spoil("services.toml", 'clause = "table_api"', 'clause = "nowhere"')
    line = (folder / "services.toml").read_text(encoding="utf-8").split("\n")[int(fault.key.split()[1].strip(",")) - 1]
    assert line == "[[service]]"
    assert 'service "api"' in fault.key


def test_a_level_without_a_response_time_is_a_fault(spoil: Spoil, folder: Path) -> None:
    spoil("targets.toml", 'id = "paas-reply"', 'id = "paas-reply"\nrequest_types = ["incident"]')
    faults = [str(fault) for fault in spoil("targets.toml", "working day\n", 'working day\ndeployments = ["cloud"]\n')]
    assert any("no target for deployment 'paas' and requests without a severity" in fault for fault in faults)


def test_an_entry_that_is_never_reached_is_a_fault(spoil: Spoil) -> None:
    first = '[[requirement]]\nid = "first"\nrequest_types = ["question"]\nfields = []\nclause = "information"\n\n'
    faults = spoil("requirements.toml", "[[requirement]]\n", first + "[[requirement]]\n")
    assert any('"how_to"' in fault.key and "is never used" in fault.message for fault in faults)


def test_requirements_must_end_with_one_that_fits_everything(spoil: Spoil) -> None:
    faults = spoil("requirements.toml", 'id = "other"', 'id = "other"\nservices = ["api"]')
    faults = spoil("requirements.toml", 'id = "anything"', 'id = "anything"\nrequest_types = ["question"]')
    assert any("no entry fits every request" in fault.message for fault in faults)


@pytest.mark.parametrize(
    ("words", "key", "says"),
    [
        ('[[rule]]\nid = "x"\nsignal = "service.apis"\nphrases = ["api"]', "signal", "did you mean 'api'?"),
        ('[[rule]]\nid = "x"\nsignal = "request_type.incidents"\nphrases = ["a"]', "signal", "did you mean 'incident'?"),
        ('[[rule]]\nid = "x"\nsignal = "out_of_scope.hardware"\nphrases = ["a"]', "signal", "'hardware' is not in scopes"),
        ('[[rule]]\nid = "x"\nsignal = "severity.4"\nphrases = ["a"]', "signal", "'4' is not in severities"),
        ('[[rule]]\nid = "x"\nsignal = "service"\nphrases = ["a"]', "signal", "should be <label>.<value>"),
        ('[[rule]]\nid = "x"\nsignal = "service.api"\nphrases = ["... api"]', "phrases[1]", "must begin and end with a word"),
        ('[[rule]]\nid = "x"\nsignal = "service.api"\nphrases = ["api", "a-b"]', "phrases[2]", "is not one word"),
        ('[[rule]]\nid = "x"\nsignal = "service.api"\nphrases = []', "phrases", "at least one entry"),
        ('[[rule]]\nid = "x"\nsignal = "service.api"\nphrase = ["a"]', "phrase", "did you mean 'phrases'?"),
        ('[[form]]\nid = "x"\nsignal = "field.asset"\npattern = "[0-9"', "pattern", "is not a regular expression"),
        ('[[form]]\nid = "x"\nsignal = "field.asset"\npattern = "[0-9]+"', "pattern", "repeat without an end"),
        ('[[from]]\nid = "x"\nsignal = "field.asset"', "from", "did you mean 'form'?"),
        ("[[rule]\n", "line 1, column", "is not TOML"),
    ],
)  # fmt: skip
def test_words_with_faults_are_told(spoil: Spoil, words: str, key: str, says: str) -> None:
    faults = spoil("words/en/service.toml", "", words)
    assert any(
        fault.file == "acme/words/en/service.toml" and key in fault.key and says in fault.message for fault in faults
    ), faults


def test_words_of_an_unknown_language_are_told(spoil: Spoil) -> None:
    faults = spoil("words/fr/service.toml", "", "")
    assert [(fault.file, fault.message.split(";")[0]) for fault in faults] == [
        ("acme/words/fr", "no language of this pack")
    ]


def test_one_id_in_two_files_of_words_is_told(spoil: Spoil) -> None:
    rule = '[[rule]]\nid = "x"\nsignal = "service.api"\nphrases = ["api"]\n'
    spoil("words/en/a.toml", "", rule)
    faults = spoil("words/es/a.toml", "", rule)
    assert [fault.message for fault in faults if "words" in fault.file] == [
        "'x' is taken by words/en/a.toml, line 1, rule \"x\""
    ]


def test_words_and_replies_can_come_from_a_pack_beside(folder: Path, spoil: Spoil) -> None:
    other = folder.parent / "other"
    (other / "words" / "en").mkdir(parents=True)
    (other / "words" / "en" / "kind.toml").write_text(
        '[[rule]]\nid = "a"\nsignal = "kind.thanks"\nphrases = ["thanks"]\nclause = "of-the-other"\n'
        '[[rule]]\nid = "b"\nsignal = "service.bicycles"\nphrases = ["bicycle"]\n',
        encoding="utf-8",
    )
    (folder / "clauses.toml").write_text(
        (folder / "clauses.toml").read_text(encoding="utf-8").replace('"words ', '"text '), encoding="utf-8"
    )
    assert spoil("pack.toml", "", '\n[words_of]\nother = ["kind"]\n') == []
    assert [(rule.id, rule.clause) for rule in packs.load(folder).words["en"].rule] == [("a", "reading")]
    faults = spoil("pack.toml", '["kind"]', '["kinds"]')
    assert "did you mean 'kind'?" in faults[0].message


def test_replies_are_checked_by_rendering_them(folder: Path, spoil: Spoil) -> None:
    shutil.copytree(packs.shipped_rules() / "navixy" / "replies", folder / "replies")
    path = folder / "replies" / "es" / "accepted.txt"
    path.write_text(path.read_text(encoding="utf-8") + "{{ duee }}", encoding="utf-8")
    assert any("replies/es/accepted.txt" in fault.file and "duee" in str(fault) for fault in faults_of(folder))
    assert any("duee" in str(fault) for fault in spoil("fields.toml", 'clause = "info_actions"', 'clause = "nowhere"'))


def test_a_folder_without_a_pack_is_told(tmp_path: Path) -> None:
    with pytest.raises(PackError, match=r"this folder has no pack\.toml"):
        packs.load(tmp_path)
    with pytest.raises(PackError, match="there is no such folder"):
        packs.load(tmp_path / "none")


def test_a_file_that_is_no_utf8_is_told_with_its_line(folder: Path) -> None:
    (folder / "policy.toml").write_bytes(b"[policy]\n# caf\xe9\n")
    (fault,) = (fault for fault in faults_of(folder) if "UTF-8" in fault.message)
    assert (fault.file, fault.key) == ("acme/policy.toml", "line 2")


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_whatever_stands_in_a_chapter_gives_faults_and_no_crash(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    source = packs.shipped_rules() / "navixy"
    folder = tmp_path_factory.mktemp("pack") / "acme"
    folder.mkdir()
    for path in source.glob("*.toml"):
        shutil.copy(path, folder)
    shutil.copytree(source / "replies", folder / "replies")
    chapter = data.draw(st.sampled_from(sorted(path.name for path in source.glob("*.toml"))))
    text = (folder / chapter).read_text(encoding="utf-8")
    at = data.draw(st.integers(0, len(text)))
    junk = data.draw(
        st.one_of(st.text(max_size=8), st.sampled_from(['"', "[[", "= 1\n", "[]", "{}", "\nid = 3\n", "-1"]))
    )
    (folder / chapter).write_text(text[:at] + junk + text[at + data.draw(st.integers(0, 9)) :], encoding="utf-8")
    try:
        packs.load(folder)
        packs.versions(folder)
    except PackError as error:
        assert all(fault.file and fault.message for fault in error.faults)

"""Request type, service, scope, severity and deployment: with the shipped pack, and with a pack of another vendor."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import pytest

from triage.adapters.packs import load
from triage.core.model import Desk, Email, Reading
from triage.core.pack import (
    Learned,
    Pack,
    Policy,
    RequestType,
    Scope,
    Service,
    Severity,
    WordRule,
    Words,
)
from triage.core.reading import topic as reading_topic
from triage.core.reading.matches import Lexicon, lexicon
from triage.core.reading.read import read

PACK = Path(__file__).parents[2] / "rules" / "navixy"


@lru_cache
def shipped() -> Pack:
    return load(PACK)


def mail(text: str, subject: str = "") -> Reading:
    return read(Email(subject=subject, text=text), shipped(), Desk(addresses=("support@vendor.example",)))


SERVICES = [
    ("features", "The trips report of van 12 is empty for yesterday, although it was on the road."),
    ("features", "El informe de viajes de la camioneta 12 sale vacío y sí se movió."),
    ("api", "Which API method returns the last position of all trackers in one call?"),
    ("api", "¿Qué método de la API devuelve la última posición?"),
    ("device_activation", "The activation wizard of a new Teltonika FMB920 is stuck on waiting for connection."),
    ("device_activation", "¿Soportan el modelo Suntech ST4305? Quiero agregar un equipo y no está en la lista."),
    ("device_reporting", "Truck 44 is offline since Sunday and sends no data, the SIM is fine."),
    ("device_reporting", "El sensor de combustible de la unidad 7 marca cero desde ayer."),
    ("bulk_registration", "Please register the 80 devices of the attached spreadsheet in our panel."),
    ("bulk_registration", "Favor de dar de alta los 80 equipos del Excel adjunto."),
    ("custom_logo", "Please change the logo and the favicon of our login page."),
    ("sms_gateway", "Our SMS gateway does not deliver anything since Monday, the SMPP provider sees no request."),
    ("map_layers", "Please add our WMS layer to the list of maps."),
    ("web_apps", "Our custom web application in the menu shows a blank iframe."),
    ("gis_keys", "Please replace our Google Maps key, the old licence key expires on Friday."),
    ("ssl", "Nuestro certificado SSL vence el viernes, adjunto el nuevo."),
    ("software_configuration", "In which config file do I change the port of the api-server service?"),
    ("software_update", "Can we upgrade from version 2024.2 straight to the latest build?"),
    ("productivity", "The platform is very slow, each page takes a minute to load."),
    ("none", "Please send us your price list and the discount for a yearly contract."),
    ("bulk_registration", "Please register 25 new devices for our client. All Teltonika FMB120, IMEIs below."),
    ("server_administration", "How often do you make backups of the server, and how long are they kept?"),
]


@pytest.mark.parametrize(("service", "text"), SERVICES)
def test_the_service_row_is_that_of_what_is_asked(service: str, text: str) -> None:
    assert mail(text).service.value == service


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("incident", "The geofence alert did not arrive today, other alerts work."),
        ("incident", "Why does the report not open any more? It worked until yesterday."),
        ("incident", "No me llegan las alertas al correo desde el lunes."),
        ("question", "How can I hide the tasks menu for a sub-user?"),
        ("question", "¿Cómo hago para que un subusuario solo vea tres vehículos?"),
        ("change", "Please install the attached certificate on our panel."),
        ("change", "Favor de habilitar el módulo de tareas a la cuenta Pacífico."),
        ("change", "We made a page for tyres, https://tyres.example/app. Please integrate it into the menu."),
        ("question", "Do you renew the certificate, or do we have to install it ourselves?"),
        ("question", "¿El certificado lo renuevan ustedes o lo tenemos que instalar nosotros?"),
        ("incident", "The stops report is empty. What should I check?"),
        ("other", "I would like to propose a report on how long a unit was in each zone."),
        ("other", "It would be great to be able to colour geofences by group."),
        ("other", "Quiero que me devuelvan el dinero, pésimo servicio."),
    ],
)
def test_the_request_type_is_what_the_writer_wants(value: str, text: str) -> None:
    assert mail(text).request_type.value == value


@pytest.mark.parametrize(
    ("value", "service", "text"),
    [
        ("gps_hardware", "none", "Which wire of the tracker harness is for ignition, and where is the relay soldered?"),
        ("gps_hardware", "none", "¿De qué color es el cable de ignición del equipo y dónde va el relevador?"),
        ("third_party", "none", "A client uses Wialon too. How does he import a geofence on their site?"),
        ("server", "server_administration", "We want to upgrade Ubuntu 20.04 to 22.04, which commands?"),
        ("server", "server_administration", "Which iptables rules do you advise against brute force on ssh?"),
        ("server", "server_administration", "¿Cómo hago un respaldo de la base de datos MySQL cada noche?"),
    ],
)
def test_out_of_scope_names_the_row(value: str, service: str, text: str) -> None:
    found = mail(text)
    assert (found.out_of_scope.value, found.service.value) == (value, service)
    assert found.out_of_scope.evidence


@pytest.mark.parametrize(
    "text",
    [
        "The ignition wire is connected and the console shows din1=1, but the platform still shows ignition off.",
        "The xlsx that the platform exports has dates as text, our client needs it in Excel for pivot tables.",
        "Since the night our ERP gets 403 from your API, nothing was changed in the ERP.",
        "Since Monday the SMS commands to the trackers don't leave our gateway, the bind is rejected.",
        "El reporte se exporta a Excel y sale vacío, ayer salía bien.",
    ],
)
def test_an_incident_of_the_platform_that_mentions_other_things_is_in_scope(text: str) -> None:
    assert mail(text).out_of_scope.value is None


@pytest.mark.parametrize(
    ("level", "text"),
    [
        ("1", "The platform is down, none of our customers can log in, nothing opens."),
        ("1", "Se cayó la plataforma, nadie puede entrar."),
        ("2", "None of our clients can open the reports since the morning, the map works."),
        ("2", "A todos los clientes les sale error al abrir los informes."),
        ("2", "Quite a few users of different dealers can't open the reports."),
        ("2", "A la mayoría de los usuarios no les abre el informe."),
        ("3", "Nothing works for me in the tasks page, my colleagues can use it."),
        ("3", "Hello everyone, the report of unit 4 is empty."),
        ("3", "The report of one client does not open."),
        ("3", "URGENT!!! URGENT!!! The report shows zero km, fix it NOW!!!"),
    ],
)
def test_severity_is_extent_and_not_loudness(level: str, text: str) -> None:
    assert mail(text).severity.value == level


def test_in_a_language_without_words_nobody_is_turned_away_and_nothing_is_sure() -> None:
    found = mail('Wie können wir den Bericht "Fahrten" automatisch jede Woche als Excel-Datei verschicken lassen?')
    assert found.language.value == "other"
    assert found.out_of_scope.value is None
    assert max(found.service.confidence, found.request_type.confidence) <= 0.5


def test_the_subject_of_a_reply_does_not_say_what_is_wanted() -> None:
    text = "The route report of van 4 is empty since Monday."
    assert mail(text, "Re: How to add a tracker").request_type.value == "incident"


def test_only_incidents_have_a_severity() -> None:
    assert mail("How can all our users change their language?").severity.value is None


def test_of_several_questions_the_gravest_gives_the_labels() -> None:
    asked = (
        "How do we change our logo on the login page?",
        "The SSL certificate of our domain does not work and all our customers see a warning since today.",
    )
    words = lexicon(shipped(), ["en"])
    text = "\n\n".join(asked)
    found = reading_topic.topic(text, "Two matters", words.signals(text, "Two matters"), asked, words, shipped())
    assert (found.request_type.value, found.service.value, found.severity.value) == ("incident", "ssl", "2")


def test_machine_mail_and_thanks_have_no_topic() -> None:
    found = mail("Thank you very much, it works now!", "Re: [#4411] fuel report")
    assert found.kind.value == "thanks"
    assert (found.request_type.value, found.service.value, found.severity.value) == ("other", "none", None)


def test_pasted_logs_and_addresses_do_not_name_the_row() -> None:
    found = mail("The trips report is empty.\n\nSee https://files.example/ssl/certificate/logo.png\n")
    assert found.service.value == "features"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("on_premise", "On our own server the report service does not start."),
        ("cloud", "The platform is installed on our AWS account and the report does not open."),
        (None, "The report does not open."),
    ],
)
def test_a_deployment_is_read_only_where_it_is_named(value: str | None, text: str) -> None:
    assert mail(text).deployment.value == value


def test_every_label_that_was_told_shows_what_led_to_it() -> None:
    found = mail("The trips report of van 12 is empty for all our clients.")
    for label in (found.request_type, found.service, found.severity):
        assert label.evidence and all(one.rule and one.matched for one in label.evidence)


# ---------------------------------------------------------------- another vendor's pack


def rule(signal: str, *phrases: str, weight: float = 2.0) -> WordRule:
    return WordRule(id=f"de.{signal}", signal=signal, weight=weight, phrases=list(phrases))


@lru_cache
def bakery() -> Pack:
    """A pack that shares no word, no row and no language with the shipped one, and has learned nothing."""
    texts = {"de": "x"}
    rules = [
        rule("service.ofen", "ofen*"),
        rule("service.kasse", "kasse*"),
        rule("request_type.panne", "kaputt", "geht nicht"),
        rule("request_type.frage", "wie", "wann"),
        rule("out_of_scope.strom", "sicherung*", "steckdose*"),
        rule("severity.hoch", "alle filialen"),
    ]
    return Pack.model_construct(
        policy=Policy(calendar="any"),
        request_types=[
            RequestType(id="panne", names=texts, severity=True),
            RequestType(id="frage", names=texts),
            RequestType(id="sonst", names=texts),
        ],
        services=[Service(id=row, names=texts, cells={}, clause="c") for row in ("ofen", "kasse")],
        scopes=[Scope(id="strom", names=texts, says=texts, clause="c")],
        severities=[
            Severity(id="hoch", rank=1, names=texts, clause="c"),
            Severity(id="tief", rank=2, names=texts, clause="c"),
        ],
        deployments=[],
        words={"de": Words(rule=rules)},
        learned={},
    )


def bakery_topic(text: str, *asked: str, pack: Pack | None = None) -> reading_topic.Topic:
    pack = pack or bakery()
    words = Lexicon(pack.words["de"].rule, [])
    return reading_topic.topic(text, "", words.signals(text), asked, words, pack)


def test_the_readers_know_no_vendor_and_no_language() -> None:
    found = bakery_topic("Der Ofen ist kaputt, in alle Filialen.")
    assert (found.request_type.value, found.service.value, found.severity.value) == ("panne", "ofen", "hoch")


def test_without_words_the_last_type_and_no_row() -> None:
    found = bakery_topic("Guten Tag.")
    assert (found.request_type.value, found.service.value, found.out_of_scope.value) == ("sonst", "none", None)
    assert found.service.confidence < 0.35


def test_the_extent_that_is_not_told_is_the_least_grave() -> None:
    assert bakery_topic("Die Kasse geht nicht.").severity.value == "tief"


def test_the_first_question_holds_when_none_is_an_incident() -> None:
    both = ("Wie geht die Kasse an?", "Wann kommt der Ofen?")
    assert bakery_topic(" ".join(both), *both).service.value == "kasse"


def test_five_hints_do_not_outweigh_one_word_that_settles_it() -> None:
    hints = [
        WordRule(id=f"h{n}", signal="service.kasse", weight=1.0, phrases=[word])
        for n, word in enumerate(("geld", "bon", "preis", "zahlen", "rabatt"))
    ]
    rules = [*hints, WordRule(id="o", signal="service.ofen", weight=3.0, phrases=["backofen"])]
    pack = bakery().model_copy(update={"words": {"de": Words(rule=rules)}})
    assert bakery_topic("Geld, Bon, Preis, zahlen, Rabatt: der Backofen.", pack=pack).service.value == "ofen"


def test_words_that_speak_against_a_value_count() -> None:
    rules = [
        *bakery().words["de"].rule,
        rule("out_of_scope.strom", "teig", weight=-2.0).model_copy(update={"id": "no"}),
    ]
    pack = bakery().model_copy(update={"words": {"de": Words(rule=rules)}})
    assert bakery_topic("Die Sicherung fliegt.", pack=pack).out_of_scope.value == "strom"
    assert bakery_topic("Die Sicherung fliegt, der Teig auch.", pack=pack).out_of_scope.value is None


def test_a_scope_with_a_row_of_its_own_is_read_from_the_row() -> None:
    texts = {"de": "x"}
    ovens = Scope(id="bau", names=texts, service="ofen", says=texts, clause="c")
    pack = bakery().model_copy(update={"scopes": [*bakery().scopes, ovens]})
    assert bakery_topic("Der Ofen ist kaputt.", pack=pack).out_of_scope.value == "bau"
    assert bakery_topic("Die Kasse ist kaputt.", pack=pack).out_of_scope.value is None


def test_what_was_learned_decides_where_no_rule_speaks_and_shows_its_words() -> None:
    learned = Learned(
        label="service",
        card={},
        rules=1.0,
        start={"ofen": 0.0, "kasse": 0.0, "none": 0.0},
        weights={"kasse": {"wechselgeld": 3.0}, "ofen": {"hitze": 3.0}},
    )
    pack = bakery().model_copy(update={"learned": {"service": learned}})
    found = bakery_topic("Das Wechselgeld fehlt.", pack=pack).service
    assert (found.value, [one.matched for one in found.evidence]) == ("kasse", ["wechselgeld"])

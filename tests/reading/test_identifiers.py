"""Names and numbers that say which account and which asset, and those that say something else."""

from __future__ import annotations

import pytest

from tests.reading.fields_pack import has, read

ASSETS = {
    "imei": ("en", "Unit with 490154203237518 is grey since noon."),
    "imei with spaces": ("en", "IMEI: 49 015420 323751 8 never came online."),
    "imei with a wrong check digit, said to be one": ("en", "the imei is 490154203237519"),
    "iccid": ("es", "El chip 8952020099887766554 no registra datos."),
    "tracker id": ("en", "No points for tracker 1120045 after lunch."),
    "tracker_id of the API": ("en", "We call history with tracker_id=445566 and get nothing."),
    "short device id": ("en", "Please delete device id 556."),
    "id de dispositivo": ("es", "El ID de dispositivo 99812 quedó en amarillo."),
    "plate": ("en", "license plate QRS 442 shows the wrong driver"),
    "patente": ("es", "El camión patente PQ345RS no marca ignición."),
    "placas": ("es", "unidad con placas 55-XY-2B sin reportar"),
    "matrícula in small letters": ("es", "la matrícula 4821 bcd no aparece"),
    "plate by its form alone": ("en", "KDH 512M was parked all night."),
    "name in quotes": ("en", "unit 'R-22' jumps around the harbour"),
    "code after a vehicle word": ("es", "la unidad MX-204 quedó fija en el taller"),
    "number after a vehicle word": ("es", "El móvil 41 no transmite."),
    "sim": ("en", "SIM number +254 700 555 019 is stuck"),
    "serial": ("en", "S/N: AB12-99X3 does not activate"),
    "a fleet's code that looks like a model": ("es", "La unidad GT-31 sale en gris."),
    "number after a model": ("en", "The Queclink GV75 (id 540912) shows no voltage."),
    "serial in words": ("es", "número de serie 77A9912 sin posición"),
}


@pytest.mark.parametrize("case", ASSETS, ids=str)
def test_an_asset_is_named(case: str) -> None:
    language, text = ASSETS[case]
    assert has("asset", text, language=language)


NO_ASSETS = {
    "my truck": ("en", "My truck is not on the map any more."),
    "how many": ("en", "About 240 vehicles and 15 trucks are offline since 10:42."),
    "cars in brackets": ("en", "When I select a group of cars (50 cars) nothing is shown."),
    "model": ("en", "How do I activate the device FMB920 or a Queclink GV75?"),
    "port": ("en", "Which port is right, 5027 or 20332?"),
    "volts": ("en", "The winch of the truck 24V side is dead."),
    "version": ("en", "We are on version 2025.11.3 and MySQL 8.0.36."),
    "coordinates": ("en", "It drew a circle around 19.4326077, -99.1332080."),
    "status code": ("en", "The request ends with 502 after 30000 ms."),
    "ticket": ("en", "See ticket 4455667 of last week."),
    "price": ("en", "We paid 1,250.00 USD on invoice 20250611."),
    "ip": ("en", "Our server is 192.168.100.200."),
    "telephone": ("es", "Me pueden llamar al 55 5555 0144 por favor."),
    "fifteen digits that fail the check": ("en", "The sum was 123456789012345 points."),
    "minutes in quotes": ("en", 'Both devices "15 minutes ago" as before.'),
}


@pytest.mark.parametrize("case", NO_ASSETS, ids=str)
def test_a_number_that_is_something_else_names_no_asset(case: str) -> None:
    language, text = NO_ASSETS[case]
    assert not has("asset", text, language=language)


ACCOUNTS = {
    "user id": ("en", "user 44512 sees no map"),
    "panel id": ("en", "In panel 20911 the list stays empty."),
    "user_id of the API": ("en", 'sent {"user_id": 90211} to the API'),
    "login": ("en", "login north_haulage cannot open the page"),
    "e-mail of the account": ("en", "account with the e-mail office@northhaul.example is blocked"),
    "name in quotes": ("en", 'the user "Harbour Cold Chain" sees yesterday only'),
    "customer's name": ("en", "our customer Harbour Cement complains about it"),
    "name before the word": ("en", "please look into the Harbour Cement account"),
    "cuenta": ("es", "en la cuenta de Transportes Laguna faltan viajes"),
    "usuario": ("es", "al usuario bodega@laguna.example no le carga"),
    "cliente": ("es", "el cliente Hielos del Norte no ve el mapa"),
    "owner of an asset": ("es", "el tracto placas 55-XY-2B de Fletes Laguna viene en metros"),
}


@pytest.mark.parametrize("case", ACCOUNTS, ids=str)
def test_an_account_is_named(case: str) -> None:
    language, text = ACCOUNTS[case]
    assert has("account", text, language=language)


NO_ACCOUNTS = {
    "domain of a panel": ("en", "The panel at track.harbour.example has the old certificate."),
    "a client that is software": ("en", "The client Android app shows no map."),
    "users, how many": ("en", "About 700 users cannot log in."),
    "nobody": ("en", "One client sees an empty report, the user says nothing changed."),
    "heading": ("en", "Client Report Not Opening After Update"),
    "an address to write to": ("en", "Please send the answer to boss@harbour.example."),
    "un cliente": ("es", "Un cliente no puede entrar a su cuenta desde ayer."),
}


@pytest.mark.parametrize("case", NO_ACCOUNTS, ids=str)
def test_no_account_is_named(case: str) -> None:
    language, text = NO_ACCOUNTS[case]
    assert not has("account", text, language=language)


def test_an_identifier_says_which_rule_found_which_words() -> None:
    found = read("user 44512 sees no map")["account"]
    assert found.confidence > 0.9
    assert found.evidence[0].matched == "user 44512"
    assert found.evidence[0].rule


def test_the_subject_counts() -> None:
    assert has("asset", "It is grey since noon.", subject="tracker 1120045")


def test_an_attached_list_names_assets() -> None:
    assert has("asset", "Please register them.", "imei_list.xlsx")
    assert has("asset", "Favor de dar de alta.", "Unidades nuevas.csv", language="es")
    assert not has("asset", "Please see it.", "screen.png")

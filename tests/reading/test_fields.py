"""Whether the required information is in a mail."""

from __future__ import annotations

import time

import pytest

from tests.reading.fields_pack import has, pack, read
from triage.core.model import Attachment
from triage.core.pack import Pack, RequiredField, WordRule, Words

DESCRIBED = {
    "symptom": ("en", "The fuel report of yesterday shows zero litres although the tank was filled twice."),
    "wish": ("en", "Please enable the sub-user option for the new dealer and tell me how to limit it to one group."),
    "question": ("en", "How many geofences can one account have?"),
    "síntoma": ("es", "Desde ayer el mapa no carga y se queda en blanco."),
    "pedido": ("es", "Necesito que cambien el logo de la página de acceso por el nuevo."),
    "words of no known language": ("de", "Die Positionen werden seit gestern nicht mehr auf der Karte angezeigt."),
}
VAGUE = {
    "does not work": ("en", "It does not work, please help"),
    "with a greeting and haste": ("en", "Hello, it does not work, please help urgently!!!"),
    "con saludo y prisa": ("es", "Hola equipo, buenos días, no funciona, por favor ayuda urgente!!!"),
    "urgent": ("en", "URGENT! Please call me!"),
    "see attached": ("en", "Please see the attached."),
    "no jala": ("es", "No funciona, ayuda por favor."),
    "llamar": ("es", "Tengo un problema con la plataforma, me pueden llamar?"),
    "thanks": ("en", "Works again now, thank you very much!"),
    "gracias": ("es", "Ya quedó, muchas gracias."),
    "nothing": ("en", ""),
}


@pytest.mark.parametrize("case", DESCRIBED, ids=str)
def test_what_happens_or_is_wanted_is_said(case: str) -> None:
    language, text = DESCRIBED[case]
    assert has("description", text, language=language)


@pytest.mark.parametrize("case", VAGUE, ids=str)
def test_a_specialist_could_not_begin(case: str) -> None:
    language, text = VAGUE[case]
    assert not has("description", text, language=language)


PARTICULAR = {
    "report": ("en", "The trip report shows no addresses for last week, why is that?"),
    "name in quotes": ("en", 'The rule "Night driving" sends no mail since Monday.'),
    "device model": ("en", "How do I choose the protocol for a Teltonika FMB920 that we add to the platform?"),
    "API method": ("en", "The call to tracker/track/list returns an empty list for every day of June."),
    "sensor": ("en", "The temperature sensor stays at -40 all day, what is wrong with it?"),
    "file": ("en", "Which value do we set in server.properties to change the session time?"),
    "version": ("en", "Can we update from 2024.3 directly or do we need the builds between?"),
    "kind with a word before": ("en", "The attendance module does not save the times that we enter."),
    "reporte": ("es", "El reporte de paradas no muestra las direcciones desde ayer."),
    "módulo": ("es", "El módulo de asistencia no guarda los horarios que cargamos."),
    "alerta": ("es", "La alerta de exceso de velocidad llega media hora tarde a todos."),
    "a word that names one by itself": ("en", "Our certificate expires on Friday, do you renew it?"),
    "key of a configuration": ("en", "We set filter.maxJump to 300 and nothing changes, is it the right one?"),
    "name in a program": ("en", "The answer has no value in lastFuelLevel since Monday."),
    "request": ("en", "PUT /zones answers 204 and the zone is still there when we list them again."),
    "way in a menu": ("en", "In Account > Invoices the total is cut off at the right side when it is printed."),
    "software of others": ("en", "How do we let Zapier read the mails of our alerts?"),
    "tarifa": ("es", "Si cambio la tarifa a mitad de mes, ¿cuánto se le cobra al cliente?"),
}
NOTHING_PARTICULAR = {
    "hosting": ("en", "What kind of server do we need for 3000 vehicles, and how much does it cost?"),
    "password": ("en", "I forgot my password, how do I get a new one?"),
    "price": ("es", "Quisiera saber cuánto cuesta el servicio para cien vehículos."),
    "thanks for it": ("en", "Great, works now. Thank you!"),
    "one of several": ("en", "One of the calls gives us times in another time zone."),
    "all of them": ("en", "No device of any client sends positions since 05:00, please look at it."),
    "the whole": ("en", "The platform does not open on any phone of our office since this morning."),
    "two sentences without a space": ("en", "We restart the server.after that no device is online."),
    "un verbo detrás": ("es", "La página tarda mucho en abrir desde ayer con todos los navegadores."),
}


@pytest.mark.parametrize("case", PARTICULAR, ids=str)
def test_nobody_needs_to_ask_which_one(case: str) -> None:
    language, text = PARTICULAR[case]
    assert has("element", text, language=language)


@pytest.mark.parametrize("case", NOTHING_PARTICULAR, ids=str)
def test_no_particular_item_is_named(case: str) -> None:
    language, text = NOTHING_PARTICULAR[case]
    assert not has("element", text, language=language)


def test_the_name_of_a_customer_is_no_element() -> None:
    assert not has("element", 'The user "Harbour Cold Chain" is blocked since morning, unblock him.')


def test_the_subject_of_a_reply_of_thanks_names_nothing() -> None:
    assert not has("element", "Works now, thanks!", subject="Re: Scheduled report")


DONE = {
    "tried": ("en", "I tried Chrome and Firefox."),
    "after": ("en", "It is empty after the update of last night."),
    "when": ("en", "When I press the export button nothing happens."),
    "by the customer": ("en", "The client reinstalled the app twice."),
    "a request sent": ("en", "GET https://api.example.com/v2/zone/list\nreturns nothing"),
    "steps": ("en", "1. Open the map\n2. Select the group\nThen it freezes."),
    "probé": ("es", "Ya probé con otro navegador y sigue igual."),
    "al hacer": ("es", "Al exportar a Excel sale vacío."),
    "hemos": ("es", "Hemos reiniciado el servidor dos veces."),
    "without saying who": ("en", "Removed the zone, drew it once more and it stays empty."),
    "by whom it was": ("en", "The fuse was replaced by the electrician, and the unit is red."),
    "while at it": ("en", "Hello, I am testing the new gateway and no message leaves."),
    "after doing": ("en", "After moving the unit to another group its alerts are silent."),
    "each time": ("en", "Each time the client opens the map the page reloads."),
    "put": ("en", "My technician put another SIM in it and the unit stays red."),
    "on a console": ("en", "Now it hangs.\n# docker compose pull\n# docker compose up"),
    "accented": ("es", "Busqué la opción, revisé el manual y nada."),
    "se hizo": ("es", "La primera vez se corrigió el NIF y se reenvió, sigue rechazada."),
    "acabo de": ("es", "Acabo de activar el módulo y no aparece en el menú."),
    "cada vez que": ("es", "Me saca cada vez que abro el mapa."),
    "volvimos a": ("es", "Volvimos a importar la tabla y sale vacía."),
    "cambiaron": ("es", "Cambiamos la SIM del equipo y no conecta."),
    "going on": ("en", "I press Add, write a name, press Save, and the zone is not in the list."),
    "any occasion": ("en", "After sorting the groups by name their colours are gone."),
    "it ended badly": ("en", "The migration stops at step nine with a checksum error."),
    "as the manual says": ("en", "The relay is wired as described in the manual and the output stays off."),
    "no reply": ("en", "To the SMS with the new APN there's no reply."),
    "another browser": ("en", "The list is empty, in another browser too."),
    "now it is": ("en", "The header is removed now, and the frame still asks for a password."),
    "agregué": ("es", "Agregué la unidad y sale desconectada."),
    "desde la actualización": ("es", "Desde la última actualización no cargan los íconos."),
    "no responde": ("es", "El método devuelve código 7 para una sola unidad."),
}
NOT_DONE = {
    "plan": ("en", "We want to install the new build next week, is it possible?"),
    "question": ("en", "How can I reset the password of a sub-user?"),
    "nothing changed": ("en", "All units are red since noon, we did not change anything."),
    "wish": ("es", "Queremos agregar cien equipos, ¿cómo se puede hacer?"),
    "state": ("es", "El mapa está en blanco desde ayer."),
    "in a question": ("en", "Is there a log that shows which zone was edited last month?"),
    "a wish for a deed": ("es", "Por favor que su técnico revise y cambie la zona del cliente."),
    "feelings": ("en", "We expected more and are disappointed."),
    "back by itself": ("es", "El equipo ya volvió a transmitir solo."),
    "a question about a call": ("en", "Which call returns the fuel level of a unit?"),
    "a number of devices": ("en", "Can one account be used on two phones?"),
    "went down": ("en", "Forty units of the client went offline at noon."),
    "ceased": ("es", "La unidad 14 dejó de transmitir anoche."),
    "never done": ("es", "El portal no ha creado la cuenta."),
}


@pytest.mark.parametrize("case", DONE, ids=str)
def test_what_was_done_is_told(case: str) -> None:
    language, text = DONE[case]
    assert has("actions", text, language=language)


@pytest.mark.parametrize("case", NOT_DONE, ids=str)
def test_plans_and_states_are_no_actions(case: str) -> None:
    language, text = NOT_DONE[case]
    assert not has("actions", text, language=language)


SHOWN = {
    "message in quotes": ("en", 'The page says "Session has expired, contact the administrator".'),
    "mensaje entre comillas": ("es", 'Me sale "Usuario o clave incorrectos" en la app.'),
    "message below a colon": ("es", "Obtengo el siguiente error:\n\nneed one value more"),
    "stack trace": ("en", "Caused by: java.net.ConnectException: Connection refused"),
    "json": ("en", '{"success": false, "status": {"code": 7}}'),
    "log": ("en", "2025-03-02 11:02:44 WARN pool is full"),
    "xml": ("en", "<entry key='web.port'>8090</entry>"),
    "http": ("en", "HTTP/1.1 403"),
    "sql": ("en", "SELECT * FROM units WHERE id = 5"),
    "frame": ("en", "78 78 11 01 03 51 74 21 01 98 10 19 the server got this"),
    "nmea": ("en", "$GPRMC,101010,A,1912.1,N"),
    "picture in markdown": ("en", "![map](https://pics.example.com/x)"),
    "link to a picture": ("en", "see https://pics.example.com/a/screen.png"),
    "screen recording": ("en", "here it is: https://www.loom.com/share/abc"),
    "what a program wrote": ("en", "and then: pool=readers,size=14 wait=380ms,state=full"),
    "a device's answer": ("en", "It answers\nGPRS:ON\nACC:OFF\nSignal:17"),
    "a piece of a program": ("en", "$list = $session->open($key, $host);"),
    "a database's log": ("en", "mysqld: Table './fleet/points' is marked as crashed"),
    "message with no": ("en", 'The history opens with "No data for these days" though the truck drove.'),
}
NOT_SHOWN = {
    "status word": ("en", 'The unit shows "Offline" all day.'),
    "status words": ("en", 'The services are "active (running)".'),
    "bare code": ("en", "It answers 429 since noon."),
    "promised": ("en", "I will send a screenshot later."),
    "attached but absent": ("es", "Adjunto captura de pantalla."),
    "link to a page": ("en", "as said in https://docs.example.com/api/v2/"),
    "aside": ("en", "It did not answer (not by SMS)."),
    "a list of the writer's own": ("en", "Please answer the following:\n1) how long is history kept\n2) who pays"),
    "link to a logo": ("en", "It was a mistake, sorry.\nhttps://www.example.com/img/logo.png"),
    "report in quotes": ("es", 'El reporte "Lectura de sensores" sale sin la gráfica.'),
}


@pytest.mark.parametrize("case", SHOWN, ids=str)
def test_evidence_is_in_the_text(case: str) -> None:
    language, text = SHOWN[case]
    assert has("evidence", text, language=language)


@pytest.mark.parametrize("case", NOT_SHOWN, ids=str)
def test_that_is_no_evidence(case: str) -> None:
    language, text = NOT_SHOWN[case]
    assert not has("evidence", text, language=language)


@pytest.mark.parametrize("name", ["screen.png", "server.log", "raw.csv", "IMG_2041.jpg", "export.xlsx", "image1.png"])
def test_an_attached_file_is_evidence(name: str) -> None:
    assert has("evidence", "See it.", name)


@pytest.mark.parametrize(
    "part",
    [
        Attachment("image001.png", "image/png", 4_000, inline=True),
        Attachment("logo.png", "image/png", 9_000, inline=True),
        Attachment("winmail.dat", "application/ms-tnef", 5_000),
        Attachment("card.vcf", "text/vcard", 400),
        Attachment("smime.p7s", "application/pkcs7-signature", 3_000),
        Attachment("signature.asc", "application/pgp-signature", 800),
        Attachment("", "application/pgp-signature", 800),
        Attachment("firma.png", "image/png", 7_000, inline=True),
        Attachment("meeting.ics", "text/calendar", 900),
    ],
    ids=lambda part: part.filename,
)
def test_what_a_mail_client_attaches_by_itself_is_no_evidence(part: Attachment) -> None:
    assert not has("evidence", "The map is blank.", part)


def test_a_pasted_picture_counts_when_it_is_large_or_spoken_of() -> None:
    assert has("evidence", "The map is blank.", Attachment("image001.png", "image/png", 180_000, inline=True))
    assert has("evidence", "See the screenshot below.", Attachment("image001.png", "image/png", 9_000, inline=True))


def test_identifiers_in_an_attached_list_count() -> None:
    part = Attachment("new.csv", "text/csv", 60, text="model,id\nA,490154203237518\n")
    assert read("Please register these.", part)["asset"].value == "true"


def test_a_table_lists_assets_when_the_text_says_so() -> None:
    table = Attachment("harbour_may.xlsx", "application/octet-stream", 9_000)
    assert read("Kindly register the 40 trackers of the attached table.", table)["asset"].value == "true"
    assert read("Favor de dar de alta los 40 equipos de la tabla.", table, language="es")["asset"].value == "true"
    assert read("The mileage in the attached export is too low.", table)["asset"].value == "false"
    assert read("Kindly register 40 trackers, the table follows.")["asset"].value == "false"


def test_forwarded_text_counts() -> None:
    assert read("See below.", forwarded="tracker 1120045 is off since noon")["asset"].value == "true"


def test_every_answer_has_a_confidence_and_a_yes_has_its_words() -> None:
    found = read('user 44512: the rule "Night" fails, I tried twice, it says "no such rule" for truck "B-7"')
    for label in found.values():
        assert label.value == "true"
        assert 0.5 <= label.confidence <= 1
        assert label.evidence
        assert all(one.rule and one.matched for one in label.evidence)


def test_a_field_of_the_vendors_own_is_found_by_its_words() -> None:
    contract = RequiredField.model_construct(id="contract", reader="forms", clause="info")
    words = Words(rule=[WordRule(id="contract", signal="field.contract", phrases=["contract #"])])
    own = Pack.model_construct(fields=[contract], words={"en": words})
    assert read("Our contract 99 ended.", of=own)["contract"].value == "true"
    assert read("Our contract ended.", of=own)["contract"].value == "false"


def test_a_pack_without_words_answers_too() -> None:
    bare = Pack.model_construct(fields=pack().fields, words={})
    assert set(read("Anything at all.", of=bare)) == {field.id for field in pack().fields}


UNITS = [
    "a",
    "1",
    "\n",
    '"',
    "(",
    "a.",
    "a@b.c ",
    "account a@b.c ",
    "client Acme ",
    'says "error" ',
    "error: ",
    "0a ",
    "1-",
]


@pytest.mark.parametrize("unit", UNITS, ids=repr)
def test_no_text_makes_reading_slow(unit: str) -> None:
    text = (unit * 20_000)[:20_000]
    started = time.perf_counter()
    read(text)
    assert time.perf_counter() - started < 5  # a guard against hanging: it takes some 0.1 s

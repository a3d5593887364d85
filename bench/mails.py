"""Mails for the benchmark: partners of an invented vendor who write about trackers, in English and Spanish.

Every mail is another one: other people, devices, numbers and words, so that no limit on mail that repeats itself is
reached. The same seed makes the same mails. A mail has some 15 KB, as mail programs make them (two versions of the
text, a quoted signature, long headers); every fifth carries an attachment of 50 to 500 KB besides.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

PARTNERS = 400
HEADER = "partner,deployment,subscription_until,address,role,language,timezone,status"
NAMES = [
    "Amaya", "Bora", "Celso", "Dilara", "Emeka", "Fiona", "Gael", "Hiba", "Ivo", "Jana", "Kofi", "Lucia", "Mateo",
    "Nadia", "Oscar", "Pilar", "Quim", "Rosa", "Samir", "Tove", "Ugo", "Vera", "Wanda", "Ximena", "Yusuf", "Zoe",
]  # fmt: skip
ENGLISH = [
    "The tracker {imei} of vehicle {plate} stopped sending data on {day} at about {hour}:15.",
    "On the map the last position of {plate} is still the one of {day}, although the vehicle is on the road.",
    "The trip report of account {account} shows no mileage for that day, the other columns are filled.",
    "We restarted the device by command twice and changed the SIM card, the result is the same.",
    "The driver says that the ignition light of the device is on and the antenna was not touched.",
    "In the events list I only see the entry 'connection lost' at {hour}:17 and nothing behind it.",
    "The same model works in our other vehicles with the same settings of server and port.",
    "Our client needs the report before the end of the week, so please look what the server receives.",
    "The geofence of the depot in object {plate} sent no alert either, with rule number {number}.",
    "Before that we had only renamed the object and moved it into the group number {number}.",
    "A colleague compared it with the raw data that the device keeps in its own memory.",
    "The battery voltage was stable all the time and the signal was never below three bars.",
]
SPANISH = [
    "El equipo {imei} del vehículo {plate} dejó de reportar el {day} a eso de las {hour}:15.",
    "En el mapa la última posición de {plate} sigue siendo la del {day}, aunque el vehículo está en ruta.",
    "El informe de viajes de la cuenta {account} no muestra kilometraje ese día, las otras columnas están completas.",
    "Reiniciamos el equipo dos veces por comando y cambiamos la tarjeta SIM, con el mismo resultado.",
    "El conductor dice que la luz del equipo está encendida y que nadie tocó la antena.",
    "En la lista de eventos sólo veo la entrada 'conexión perdida' a las {hour}:17 y nada después.",
    "El mismo modelo funciona en nuestros otros vehículos con la misma configuración de servidor y puerto.",
    "Nuestro cliente necesita el informe antes del fin de semana, por favor revisen qué recibe el servidor.",
    "La geocerca del depósito del objeto {plate} tampoco envió alerta, con la regla número {number}.",
    "Antes de eso sólo habíamos renombrado el objeto y lo pasamos al grupo número {number}.",
    "Un colega lo comparó con los datos que el equipo guarda en su propia memoria.",
    "El voltaje de la batería fue estable todo el tiempo y la señal nunca bajó de tres barras.",
]
STYLE = "font-family:Calibri,Arial,sans-serif;font-size:11pt;line-height:1.35;color:#1f1f1f;margin:0 0 8pt 0"


@dataclass(frozen=True, slots=True)
class Writer:
    name: str
    address: str
    language: str


def writers(seed: int = 1) -> list[Writer]:
    rng = random.Random(seed)
    return [
        Writer(
            f"{rng.choice(NAMES)} {rng.choice(NAMES)}son",
            f"{rng.choice(NAMES).lower()}.{number}@fleet{number}.example",
            "es" if number % 2 else "en",
        )
        for number in range(PARTNERS)
    ]


def partners(seed: int = 1) -> str:
    """The partner file."""
    zones = ("America/Bogota", "Europe/Madrid", "Africa/Lagos", "Asia/Dubai")
    lines = [
        f"Fleet {number} Ltd,paas,,{writer.address},partner,{writer.language},{zones[number % 4]},active"
        for number, writer in enumerate(writers(seed))
    ]
    return "\n".join((HEADER, *lines)) + "\n"


def generate(count: int, seed: int = 1, *, first: int = 0) -> Iterator[bytes]:
    """So many mails, from the number `first` on."""
    people = writers(seed)
    for number in range(first, first + count):
        yield _mail(number, people[number % len(people)], random.Random(f"{seed} {number}"))


def _mail(number: int, writer: Writer, rng: random.Random) -> bytes:
    words = {
        "imei": _imei(rng),
        "plate": f"{''.join(rng.choices('ABCDEFGHJKLMNPRSTUVWXYZ', k=3))} {rng.randint(100, 999)}",
        "account": 100_000 + number,
        "day": f"{rng.randint(1, 28)}/{rng.randint(1, 12)}",
        "hour": rng.randint(5, 19),
        "number": rng.randint(10, 9999),
    }
    spanish = writer.language == "es"
    sentences = SPANISH if spanish else ENGLISH
    said = [sentences[0], *rng.sample(sentences[1:], rng.randint(5, 11))]
    told = " ".join(sentence.format(**words) for sentence in said)
    subject = f"{'Equipo sin reportar' if spanish else 'Tracker offline'} {words['plate']} ({number})"
    greeting, closing = ("Buenos días:", "Saludos cordiales,") if spanish else ("Hello team,", "Best regards,")
    signature = (
        f"{writer.name}\nFleet Operations | fleet{number % PARTNERS}.example\n+00 1 555 {rng.randint(1000, 9999)}"
    )
    text = f"{greeting}\n\n{told}\n\n{closing}\n\n{signature}\n"
    return _message(number, writer, subject, text, rng)


def _imei(rng: random.Random) -> str:
    digits = [3, 5, *(rng.randint(0, 9) for _ in range(12))]
    doubled = sum(sum(divmod(2 * digit, 10)) if place % 2 else digit for place, digit in enumerate(digits))
    return "".join(map(str, digits)) + str(-doubled % 10)


def _message(number: int, writer: Writer, subject: str, text: str, rng: random.Random) -> bytes:
    alternative = f"alt-{number:08x}"
    parts = _part("text/plain; charset=utf-8", text.encode()) + f"\r\n--{alternative}\r\n"
    body = (
        f"Content-Type: multipart/alternative; boundary=\"{alternative}\"\r\n\r\n--{alternative}\r\n"
        + parts + _part("text/html; charset=utf-8", _html(text).encode()) + f"\r\n--{alternative}--\r\n"
    )  # fmt: skip
    if number % 5 == 4:
        mixed = f"mixed-{number:08x}"
        name, kind = rng.choice(
            (("screen.png", "image/png"), ("log.zip", "application/zip"), ("scan.pdf", "application/pdf"))
        )
        attached = _part(
            f'{kind}; name="{name}"', rng.randbytes(rng.randint(36_500, 365_000)),
            f'Content-Disposition: attachment; filename="{name}"\r\n',
        )  # fmt: skip
        body = (
            f'Content-Type: multipart/mixed; boundary="{mixed}"\r\n\r\n--{mixed}\r\n{body}\r\n--{mixed}\r\n'
            f"{attached}\r\n--{mixed}--\r\n"
        )
    return (_headers(number, writer, subject, rng) + body).encode()


def _part(kind: str, content: bytes, extra: str = "") -> str:
    encoded = base64.encodebytes(content).decode().replace("\n", "\r\n")
    return f"Content-Type: {kind}\r\nContent-Transfer-Encoding: base64\r\n{extra}\r\n{encoded}"


def _html(text: str) -> str:
    """What a mail program makes of a text: some kilobytes of styles around it."""
    rows = "".join(
        f'<p style="{STYLE}"><span style="{STYLE}">{line or "&nbsp;"}</span></p>\n' for line in text.split("\n")
    )
    head = "".join(f"p.Style{number}, li.Style{number} {{{STYLE}}}\n" for number in range(30))
    return f"<html><head><style>\n{head}</style></head><body lang=EN>\n<div>{rows}</div>\n</body></html>\n"


def _headers(number: int, writer: Writer, subject: str, rng: random.Random) -> str:
    date = format_datetime(datetime(2026, 3, 2, 8, 0, tzinfo=UTC) + timedelta(seconds=number))
    hops = "".join(
        f"Received: from mx{hop}.relay.example (mx{hop}.relay.example [192.0.2.{hop}]) by mx{hop + 1}.relay.example"
        f" with ESMTPS id {rng.getrandbits(60):x}; {date}\r\n"
        for hop in range(4)
    )
    seal = base64.b64encode(rng.randbytes(256)).decode()
    return (
        f"{hops}DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d={writer.address.split('@')[1]}; s=mail;\r\n"
        f" h=from:to:subject:date:message-id; bh={seal[:44]};\r\n b={seal}\r\n"
        f"From: {writer.name} <{writer.address}>\r\nTo: Support <support@vendor.example>\r\n"
        f"Subject: {_word(subject)}\r\nDate: {date}\r\nMessage-ID: <{number}.{rng.getrandbits(64):x}@fleet.example>\r\n"
        "MIME-Version: 1.0\r\nX-Mailer: Example Mail 16.0\r\n"
    )


def _word(subject: str) -> str:
    return subject if subject.isascii() else f"=?utf-8?b?{base64.b64encode(subject.encode()).decode()}?="

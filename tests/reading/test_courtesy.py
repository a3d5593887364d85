"""Rude is what is aimed at people; anger, capitals and curses at things are not."""

import tomllib
from pathlib import Path

import pytest

from triage.core.model import Label
from triage.core.pack import Manifest, Pack, Words
from triage.core.reading.courtesy import courtesy
from triage.core.reading.language import language
from triage.core.reading.matches import lexicon

WORDS = Path(__file__).parents[2] / "rules" / "navixy" / "words"


def words(part: str) -> Words:
    files = [tomllib.loads((WORDS / part / f"{name}.toml").read_text("utf-8")) for name in ("courtesy", "language")]
    return Words.model_validate({key: [one for file in files for one in file.get(key, [])] for key in ("rule", "form")})


PACK = Pack.model_construct(
    manifest=Manifest(name="x", title="x", vendor="x", version="1", in_force="2025-01-01", languages=["en", "es"]),
    words={part: words(part) for part in ("en", "es", "any")},
    replies={},
)


def read(text: str) -> Label:
    label, _ = language(text, PACK)
    return courtesy(lexicon(PACK, [str(label.value)]).signals(text), PACK)


RUDE = [
    "You are a bunch of incompetent clowns.",
    "You people are thieves, give me back my money.",
    "F*** you and your platform",
    "f**k off",
    "Fuck you all, fix it",
    "Your f***ing system is down again",
    "You're idiots, all of you",
    "Stop being such morons and read my mail",
    "This company is a scam, you stole our money",
    "If it isn't fixed today I will come to your office and break your face",
    "I know where you live",
    "Go to hell",
    "are you stupid or what?",
    "The agent who answered is a moron",
    "Kiss my ass",
    "You lying bastards",
    "Learn to read, imbeciles",
    "You fucking idiots",
    "shut up and fix the report",
    "Your stupid engineers are useless people, brainless monkeys",
    "You are all crooks and liars",
    "I hope you die",
    "Son unos ineptos",
    "Son una bola de rateros",
    "Váyanse a la mierda",
    "Chinguen a su madre",
    "Pinches inútiles, arreglen esto",
    "Eres un imbécil",
    "Ustedes son unos ladrones y estafadores",
    "Hijos de puta, devuelvan el dinero",
    "Manga de inútiles",
    "Partida de ineptos, llevo tres días",
    "Me están robando, rateros",
    "Esto es una estafa",
    "Los voy a ir a buscar y se van a arrepentir",
    "Sé dónde viven",
    "Qué pelotudos que son",
    "Malparidos, contesten",
    "la inútil que me atendió",
    "Son unos mentirosos",
    "son unos hdp",
    "p***os rateros, contesten",
    "¿No saben leer, idiotas?",
    "Su pinche plataforma no sirve, cabrones",
    "Vayan a tomar por culo",
    "C*BRONES arreglen esto",
    "Servicio de mierda, equipo de payasos",
    "bando de ladrões",
    "вы все идиоты",
]

OK = [
    "This damn report does not load again",
    "The f***ing report is empty",
    "WTF? no answer for a week",
    "THIS IS UNACCEPTABLE!!! FIX IT NOW",
    "We will leave for another platform if this goes on",
    "I'm very disappointed with your support, it is the worst service ever",
    "I will escalate to my lawyer and post a review",
    "This is crap, the map never loads",
    "The system sucks today",
    "Thieves cut the cable of the tracker",
    "Our driver is a thief, he steals fuel, we need the fuel report",
    "The truck was stolen by criminals",
    "I feel like an idiot, I forgot to save",
    "Sorry for my stupid question",
    "an idiot-proof guide would help",
    "Are you kidding? Three days without an answer",
    "This is ridiculous and unprofessional",
    "How do I kill the process on the server?",
    "The device is dead, kill switch does not work",
    "The update killed our server",
    "engine cut relay hits the driver",
    "Shame that the report is late",
    "Damn, it failed again",
    "Is this e-mail a scam? It asks for our panel password",
    "My client calls us thieves because the trips are wrong",
    "What the hell is going on with the API?",
    "The clown fish marker icon is missing",
    "the useless alerts should be removed",
    "dumb terminal emulation",
    "you're not serious about this, it is a joke of a service",
    "You promised it for Monday and you lied",
    "Es una vergüenza el servicio",
    "ESTO ES INACEPTABLE, LLEVO TRES DIAS ESPERANDO",
    "Me voy a cambiar de plataforma",
    "Los ladrones robaron la camioneta y desconectaron el GPS",
    "El chofer es un ratero y roba combustible",
    "Esta mierda de reporte no carga",
    "maldita sea, otra vez falla",
    "Qué chingados pasa con el mapa",
    "Los reportes son inútiles si no traen la hora",
    "El sensor es una basura, ¿qué modelo recomiendan?",
    "Los equipos retrasados no reportan",
    "Voy a poner una demanda, mis abogados se comunicarán",
    "No sirven para nada las alertas de la cuenta 11",
    "estoy harto de esperar, exijo una solución HOY",
    "Perdón por la pregunta tonta",
    "Estoy hasta la madre de este problema",
    "Mi cliente dice que somos unos ladrones porque no ve su unidad",
    "Me cobraron dos veces, es un robo",
    "El correo que recibí parece una estafa, ¿es de ustedes?",
    "No son ustedes los responsables",
    "El cliente nos llama estafadores",
    "pésimo soporte, nadie contesta",
    "La policía recuperó el vehículo de los delincuentes",
    "matar el proceso del servidor",
    "vamos a matar el servicio y reiniciar",
    "los equipos son basura, se desconectan",
    "jodido el servidor, no arranca",
    "puta madre, se cayó otra vez",
]


@pytest.mark.parametrize("text", RUDE)
def test_insults_threats_and_accusations_are_rude(text: str) -> None:
    label = read(text)
    assert label.value == "rude"
    assert label.evidence


@pytest.mark.parametrize("text", OK)
def test_anger_and_curses_at_things_are_not(text: str) -> None:
    label = read(text)
    assert label.value == "ok"
    assert label.confidence > 0.5


@pytest.mark.parametrize("filler", ["f*", "you ", "son ", "*", "c*br", "hijo de p", "bunch of "])
def test_hostile_text_is_read_in_time(filler: str) -> None:
    read(filler * 20_000)


def test_what_somebody_passes_on_is_not_his_rudeness() -> None:
    text = "Please see what our client writes.\n\nYou are idiots and thieves."
    signals = lexicon(PACK, ["en"]).signals(text)
    assert courtesy(signals, PACK).value == "rude"
    assert courtesy(signals, PACK, until=text.index("\n")).value == "ok"

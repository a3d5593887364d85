"""Which language a mail is in."""

import tomllib
from pathlib import Path

import pytest

from triage.core.pack import Manifest, Pack, Words
from triage.core.reading.language import language

WORDS = Path(__file__).parents[2] / "rules" / "navixy" / "words"


def pack(*languages: str, extra: Words | None = None) -> Pack:
    words = {
        part: Words.model_validate(tomllib.loads((WORDS / part / "language.toml").read_text("utf-8")))
        for part in (*(code for code in languages if (WORDS / code).is_dir()), "any")
    }
    if extra:
        words[languages[-1]] = extra
    manifest = Manifest(name="x", title="x", vendor="x", version="1", in_force="2025-01-01", languages=list(languages))
    return Pack.model_construct(manifest=manifest, words=words, replies={})


TWO = pack("en", "es")


# A few words, without accents or in capitals, and the neighbours of the two.
SHORT = [
    ("ok gracias", "es", "es"),
    ("Hi team", "en", "en"),
    ("ok thanks", "en", "en"),
    ("ok, muchas gracias", "es", "es"),
    ("Hola", "es", "es"),
    ("Buenos dias", "es", "es"),
    ("Buen día", "es", "es"),
    ("Good morning", "en", "en"),
    ("done", "en", "en"),
    ("listo", "es", "es"),
    ("Listo, gracias", "es", "es"),
    ("yes please", "en", "en"),
    ("si por favor", "es", "es"),
    ("Favor de revisar", "es", "es"),
    ("Any news?", "en", "en"),
    ("¿Alguna novedad?", "es", "es"),
    ("novedades?", "es", "es"),
    ("still offline", "en", "en"),
    ("sigue sin reportar", "es", "es"),
    ("NO REPORTA LA UNIDAD", "es", "es"),
    ("THE UNIT IS OFFLINE", "en", "en"),
    ("BUENAS TARDES, EL EQUIPO NO REPORTA DESDE AYER", "es", "es"),
    ("PLEASE HELP URGENT ALL UNITS DOWN", "en", "en"),
    ("no funciona el reporte de viajes", "es", "es"),
    ("Adjunto captura", "es", "es"),
    ("see screenshot", "en", "en"),
    ("anexo log del server", "es", "es"),
    ("Buenas, el endpoint /tracker/list me devuelve 403 con el token nuevo", "es", "es"),
    ("Endpoint /tracker/list returns 403 with new token", "en", "en"),
    ("Al llamar a tracker/rule/create da code 211", "es", "es"),
    ("tracker/rule/create gives code 211", "en", "en"),
    ('El server tira "Access denied" al hacer login', "es", "es"),
    ("ok obrigado", "other", "pt"),
    ("Bom dia, tudo bem?", "other", "pt"),
    ("Olá, o rastreador não está enviando posição desde ontem", "other", "pt"),
    ("o rastreador nao esta enviando posicao desde ontem", "other", "pt"),
    ("Por favor verifiquem o equipamento", "other", "pt"),
    ("Segue anexo o print da tela", "other", "pt"),
    ("Preciso de ajuda para cadastrar um veículo", "other", "pt"),
    ("Boa tarde, o cliente nao consegue acessar a plataforma", "other", "pt"),
    ("NAO CONSIGO ENTRAR NO SISTEMA", "other", "pt"),
    ("Qual o prazo para liberar a conta?", "other", "pt"),
    ("Buongiorno, il dispositivo non trasmette da ieri", "other", "it"),
    ("grazie mille", "other", "it"),
    ("Non riesco ad accedere alla piattaforma", "other", "it"),
    ("Come posso aggiungere un utente?", "other", "it"),
    ("Allego lo screenshot", "other", "it"),
    ("Bonjour, le boîtier n'envoie plus de position depuis hier", "other", "fr"),
    ("merci beaucoup", "other", "fr"),
    ("Comment ajouter un utilisateur ?", "other", "fr"),
    ("Bonjour l'equipe", "other", "fr"),
    ("Pouvez-vous vérifier svp", "other", "fr"),
    ("Bon dia, el dispositiu no envia posicions des d'ahir", "other", "ca"),
    ("Moltes gràcies", "other", "ca"),
    ("Com puc afegir un usuari?", "other", "ca"),
    ("No podem entrar a la plataforma", "other", "ca"),
    ("Us adjunto la captura", "other", "ca"),
    ("pls chk imei 867232051234567", "en", "en"),
    ("xfa revisar imei 867232051234567", "es", "es"),
    ("q tal, la unidad 12 no jala", "es", "es"),
    ("buenas noches me podrian ayudar con el odometro", "es", "es"),
    ("Me ayudan por fa con una unidad que no comunica", "es", "es"),
    ("gud day sir my tracker no show", "en", "en"),
    ("Kindly do the needful", "en", "en"),
    ("the device it not sending sins yesterday", "en", "en"),
    ("Cuenta 10233: dar de alta FMB920", "es", "es"),
    ("Account 10233: add FMB920", "en", "en"),
    ("Cambio de equipo", "es", "es"),
    ("Device replacement", "en", "en"),
    ("Alta de unidades", "es", "es"),
    ("Certificado SSL vencido", "es", "es"),
    ("SSL certificate expired", "en", "en"),
    ("Como se agrega un sensor de combustible en el panel de admin", "es", "es"),
    ("El iframe no carga en Chrome, sale ERR_BLOCKED_BY_RESPONSE", "es", "es"),
    ("iframe fails in Chrome, ERR_BLOCKED_BY_RESPONSE", "en", "en"),
    ("A cerca virtual não gera alerta de saída", "other", "pt"),
    ("Gostaria de saber como exportar o relatório", "other", "pt"),
    ("O app fecha sozinho no Android 14", "other", "pt"),
    ("Il report dei viaggi è vuoto", "other", "it"),
    ("Buonasera, vorrei sapere come esportare il report", "other", "it"),
    ("Le rapport des trajets est vide", "other", "fr"),
    ("L'informe de viatges surt buit", "other", "ca"),
]


@pytest.mark.parametrize(("text", "value", "code"), SHORT)
def test_a_few_words_are_enough(text: str, value: str, code: str) -> None:
    label, found = language(text, TWO)
    assert (label.value, found) == (value, code)


@pytest.mark.parametrize(
    ("text", "value", "code"),
    [
        ("The report is empty since yesterday, please check what happened.", "en", "en"),
        ("report dont open in my acount pls fix", "en", "en"),
        ("El informe sale vacío desde ayer, ¿pueden revisarlo por favor?", "es", "es"),
        ("ya no me llegan las alertas de la unidad 12 ayuda", "es", "es"),
        ("Não consigo abrir o relatório desde ontem, podem verificar por favor?", "other", "pt"),
        ("o rastreador nao esta enviando dados desde ontem", "other", "pt"),
        ("Il rapporto è vuoto da ieri, potete controllare per favore?", "other", "it"),
        ("Le rapport est vide depuis hier, pouvez-vous vérifier s'il vous plaît ?", "other", "fr"),
        ("Der Bericht ist seit gestern leer, bitte prüfen Sie das.", "other", "de"),
        ("L'informe surt buit des d'ahir, ho podeu comprovar si us plau?", "other", "ca"),
        ("Raport jest pusty od wczoraj, proszę sprawdzić dlaczego.", "other", "pl"),
        ("Rapor dünden beri boş, lütfen kontrol eder misiniz?", "other", "tr"),
        ("Отчёт пустой со вчерашнего дня, проверьте пожалуйста.", "other", "ru"),
        ("Звіт порожній від учора, перевірте будь ласка, що сталося.", "other", "uk"),
        ("报告从昨天开始是空的，请检查。", "other", "zh"),
        ("レポートが昨日から空です。確認してください。", "other", "ja"),
        ("التقرير فارغ منذ الأمس، يرجى التحقق من ذلك", "other", "ar"),
        ("Η αναφορά είναι κενή από χθες.", "other", "el"),
    ],
)
def test_english_spanish_or_neither(text: str, value: str, code: str) -> None:
    label, iso = language(text, TWO)
    assert (label.value, iso) == (value, code)
    assert label.evidence


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Hola equipo,\n\nthe device has been offline since this morning and the client is waiting.\n\nGracias", "en"),
        ("Dear support team,\n\nla unidad no reporta desde esta mañana y el cliente está esperando.\n\nThanks", "es"),
        (
            "Buenas, al abrir el reporte sale:\nERROR com.example.Report - Could not open the file, it is locked\n"
            "2025-07-01 10:00:01 WARN The connection to the server was refused and will be tried again\n¿qué hago?",
            "es",
        ),
        ('La respuesta es {"success": false, "description": "The user does not have the right to do this"}', "es"),
        ('In the report "Lectura de los sensores de la unidad" all of the values are wrong.', "en"),
        (
            "See https://example.com/es/ayuda/como-crear-un-informe-de-la-unidad.html and tell me what is wrong there",
            "en",
        ),
    ],
)
def test_the_matter_decides_not_greetings_logs_payloads_or_names(text: str, value: str) -> None:
    assert language(text, TWO)[0].value == value


def test_little_text_asks_the_subject_and_stays_unsure() -> None:
    label, _ = language("???", TWO, "Informe vacío desde ayer")
    assert label.value == "es"
    assert label.confidence < 0.7
    assert language("", TWO)[0].confidence == 0.0


def test_a_third_language_of_a_pack_is_a_value_of_its_own() -> None:
    portuguese = [rule for rule in TWO.words["any"].rule if rule.signal == "language.pt"]
    own = [rule.model_copy(update={"id": rule.id.replace("any.", "pt.")}) for rule in portuguese]
    three = pack("en", "es", "pt", extra=Words(rule=own))
    label, iso = language("Não consigo abrir o relatório desde ontem, podem verificar por favor?", three)
    assert (label.value, iso) == ("pt", "pt")


@pytest.mark.parametrize("filler", ["a", " ", "é", "я", "a' ", "<", '"', "(", "\n", '{"', "字", "['"])
def test_hostile_text_is_read_in_time(filler: str) -> None:
    language(filler * 200_000, TWO, filler * 10_000)

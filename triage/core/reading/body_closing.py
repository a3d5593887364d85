"""Where the signature block begins: closing formula, bare name, `-- `, phone footer, disclaimer.

`closing_start` is handed the last lines that the sender wrote and answers with the index of the first line that is not
his text any more. It looks from the end upwards, at `WINDOW` lines at most, and cuts only where everything below looks
like a signature: words lost are worse than a name left in.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from triage.core.reading.body_words import DEVICES, SENT_FROM

WINDOW = 40  # lines of text from the end that a signature block may have
LINE = 300  # characters of a line that are looked at

_DELIMITER = re.compile(r"^(?:-{2,5}|—{1,3}|–{1,3}|_{2,60}|-{6,60}|[*=~]{3,60}|⸻)[ \t]*$")
_SENT_FROM = re.compile(rf"^[\W_]{{0,4}}(?:{SENT_FROM})(?!\w)")
_SENT_LAST = re.compile(r"(?:gönderildi|送信|보냄|küldve|sendt|から送信)\W{0,3}$")
_SENT_FROM_MY = re.compile(r"^[\W_]{0,4}(?:sent|get|env|gesendet|von meinem|diese nachricht|mandado|escrito)")
_FROM_MY = re.compile(
    r"^[\W_]{0,4}(?:from my|från min|fra min|desde mi|von meinem|de mon|get|\w{2,20} from (?:my )?mobile)(?!\w)"
)
_MARKDOWN_LINK = re.compile(r"\[([^\[\]]{1,60})\]\([^()]{1,200}\)|<https?:[^<>]{1,200}>")
_DEVICE = re.compile(
    rf"(?<!\w)(?:{DEVICES})(?!\w)|iphone|ipad|android|outlook|samsung|blackberry|手机|mobil|telefon|smartphone"
)

# Formulas that end a letter, by language. `_THANKS` ones end it too, but may be all there is to say.
_REGARDS = (
    r"(?:(?:with|my|our|the|very|kind|kindest|best|warm|warmest|many|sincere|personal|good|high|greetings|all) ){0,4}"
    r"(?:regards|wishes|rgds|greetings)|(?:best|kind|warm)(?:est)?|all the best|cheers|sincerely(?: yours)?"
    r"|yours(?: (?:truly|faithfully|sincerely|cordially|respectfully|in \w{1,12}))?|(?:respectfully|cordially"
    r"|faithfully|truly)(?: yours)?"
    r"|(?:b|k|w|best |kind )r(?:e?g(?:ar)?ds?|\.)?|b/?r|kr|rgds|rgd|brgds|krgds|regds|warmly|take care|ciao|xoxo"
    r"|love|peace|later|ttyl|hugs"
    r"|respect|respects|with respect|onward|signed|stay safe"
    r"|(?:un |los |muchos |reciba(?:n)? |reciban? un |mis |nuestros )?(?:muy |m[aá]s |cordial(?:es)? |atentos? "
    r"|afectuosos? )*saludos?"
    r"(?: (?:cordial(?:es)?|atentos?|afectuosos?|amistosos?|y gracias|a todos|para todos))*"
    r"|(?:muy )?atentamente|atte|atto|att|cordialmente|(?:un |fuerte |muchos )*abrazos?|(?:le|les"
    r"|os) saluda(?: atentamente)?|slds|sld|sdos"
    r"|(?:un )?cordial saludo|respetuosamente|sin otro particular|bendiciones|quedo (?:muy )?atent[oa]s?"
    r"|quedamos (?:muy )?atent[oa]s"
    r"|(?:mit |mit den )?(?:freundliche[nmr]?|beste[nmr]?|herzliche[nmr]?|liebe[nmr]?|schöne[nmr]?|viele[nmr]?"
    r"|sonnige[nmr]?|nette[nmr]?) ?"
    r"(?:und \w{3,14} )?(?:grü(?:ß|ss)en?|gru(?:ß|ss)|gruessen?)|gr(?:ü|u)(?:ß|ss)e?|mfg|m\.f\.g|lg|vg|bg"
    r"|hochachtungsvoll|herzlichst|ihr|euer"
    r"|(?:bien |très )?cordialement|bien à (?:vous|toi)|(?:meilleures |sincères |cordiales |mes "
    r"|nos )*salutations(?: \w{3,14}){0,2}|amicalement"
    r"|respectueusement|cdlt|cdt|crdlt|bien amicalement|à bientôt"
    r"|(?:cordiali |distinti |i migliori |i miei |tanti |un )*saluti?(?: \w{3,12})?|in fede|a presto"
    r"|(?:com os |os )?(?:melhores |meus |atenciosos )*cumprimentos|atenciosamente|abs|abç"
    r"|saudações(?: \w{3,14})?|cordiais saudações|um abraço"
    r"|(?:met )?(?:de )?(?:vriendelijke|hartelijke|beste|warme)(?: \w{2,12})? groet(?:en|jes)?|groet(?:en|jes)?"
    r"|mvg|hoogachtend|m\.v\.g"
    r"|(?:serdecznie |serdeczne |łącz[ęe] )?pozdrawiam(?: serdecznie)?|(?:z )?pozdrowieni(?:a|ami)"
    r"|z (?:wyrazami )?(?:powa[żz]ani(?:em|a)|szacunk(?:iem|u))"
    r"|pozdr|с (?:глубоким )?уважением|с наилучшими пожеланиями|с пожеланиями \w{3,14}|всего (?:доброго|хорошего)"
    r"|хорошего дня|з повагою|з найкращими побажаннями"
    r"|поздрави|с уважение|saygılar(?:ım(?:ız)?la)?|iyi (?:çalışmalar|günler)(?: dilerim)?|sevgiler(?:le)?|selamlar"
    r"|(?:med )?(?:vänlig|vänliga|bästa|varma|vennlig|venlig|venlige|beste|bedste|kærlig|mange|de bedste"
    r"|hjärtliga|ystävällisin)(?: \w{2,12})? "
    r"(?:hälsning(?:ar)?|hilsen|hilsener|hilsner|terveisin)|(?:hälsning(?:ar)?|hilsen|hilsner|terveisin|terveisiä"
    r"|terv)|m\.?v\.?h|vh|kh|bh|yst\.? terv"
    r"|s (?:přátelským )?pozdrav[eo]m|s úct(?:ou|a)|s přáním \w{3,12} dne|hezký den|zdrav[íi]|lep pozdrav|lp"
    r"|pozdrav|srdačan pozdrav|s poštovanjem"
    r"|cu (?:stimă|stima|respect|drag)|toate cele bune|o zi (?:bună|buna|frumoasă)|üdvözlettel|üdv|tisztelettel"
    r"|με εκτίμηση|φιλικά"
    r"|hormat (?:kami|saya)|salam(?: hormat| hangat)?|trân trọng|lugupidamisega|parimate soovidega|tervitades"
    r"|pagarbiai|su pagarba|ar cieņu"
    r"|此致|敬礼|敬禮|祝好|顺祝商祺|順祝商祺|敬具|以上|よろしくお願い(?:いた"
    r"|致)?します|مع التحية|مع أطيب التحيات|تحياتي|בברכה"
)
_THANKS = (
    r"(?:(?:many|lots of|much|my|big|with|kind) )?thanks(?: (?:a lot|so much|very much|again|once again|you"
    r"|in advance|a million|a bunch|mate|guys|all|everyone|team|and))*"
    r"|thank(?:ing)? you(?: (?:all|very much|so much|much|again|once again|in advance|kindly|sir|team|guys|and))*"
    r"|thx|thnx|thanx|tnx|tks|tx|ty|tia|much appreciated"
    r"|(?:muchas |muchísimas |mil |de antemano,? |desde ya,? |ok |y |las )*gracias(?: (?:totales|de antemano"
    r"|anticipadas|por adelantado|nuevamente|y|de nuevo|a todos))*"
    r"|agradecid[oa]s?|agradezco de antemano|de antemano(?: muchas)? gracias"
    r"|(?:vielen|herzlichen|besten|schönen|lieben)? ?dank(?: (?:im voraus|nochmals|und))*|danke(?: (?:schön|sehr"
    r"|im voraus|vielmals|dir|euch|und))*|merci(?: (?:beaucoup|bien|d.avance|par avance|encore|et|à vous|à tous))*"
    r"|d.avance,? merci|grazie(?: (?:mille|tante|in anticipo|ancora|e|infinite))*"
    r"|(?:muito )?obrigad[oa](?: (?:desde já|pela atenção|mais uma vez|e))*|desde já(?: agradeço)?|grat[oa]"
    r"|(?:hartelijk|alvast|bij voorbaat)? ?(?:be)?dankt?(?: alvast| bij voorbaat)?|dank je(?: wel)?"
    r"|dziękuję(?: (?:z góry|bardzo))?|dzięki|z góry dziękuję|(?:заранее )?(?:большое )?спасибо(?: за ранее"
    r"| большое| и)?"
    r"|благодарю|(?:заздалегідь )?дякую|teşekkür(?:ler|ederim)?(?: ederim)?|(?:stort |mange |tusen )?(?:tack|takk"
    r"|tak)(?: (?:på förhånd|på förhand|for hjelpen|igen|så mycket))*|kiitos(?: (?:etukäteen|paljon))*"
    r"|(?:předem )?děkuj[iu]|díky|ďakujem|hvala(?: lijepa| unaprijed)?|mulțumesc|multumesc|mersi|köszönöm"
    r"|köszönettel|ευχαριστώ|terima kasih|makasih|cảm ơn|aitäh|ačiū|paldies"
    r"|谢谢|謝謝|多谢|ありがとうございます|감사합니다|شكرا(?:ً| جزيلا)?|תודה(?: רבה)?"
)
_FORMULA = re.compile(
    rf"^(?:{_REGARDS}|{_THANKS})(?:(?:\s?(?:,|&|\+|/|and|und|et|e|y|i|en|og|och|и|-|\.|;)\s?|\s)(?:{_REGARDS}"
    rf"|{_THANKS})){{0,2}}(?!\w)",
)
_FROM_PLACE = re.compile(r"^(?:from|desde|aus|de|da|van|z|из)\s+(?:the\s|la\s|el\s)?[^\W\d_]")
_GREETING = re.compile(
    r"^(?:hi|hello|hey|dear|good (?:morning|afternoon|evening|day)|hola|buen[oa]s?|estimad[oa]s?|querid[oa]s?"
    r"|hallo|sehr geehrte[rn]?|liebe[rn]?"
    r"|bonjour|salut|ciao|gentil[ei]|buongiorno|olá|prezad[oa]s?|beste|geachte|cześć|dzień dobry|witam"
    r"|здравствуйте|привет|добрый|уважаем\w+"
    r"|hej|hei|moi|dobrý|ahoj|merhaba|sayın|szia|bună|team|yes|no|ok|okay|sure|done|please|por favor|si|sí|listo"
    r"|attached|adjunto|agree"
    r"|agreed|perfect|great|perfecto|excelente|confirmed|confirmado|correct|correcto|exactly|fixed|solved"
    r"|resuelto|urgent|urgente|test|none|ninguno"
    r"|same|never|nothing|nada|maybe|both|todos|all|solved|working|still|not|nope|yep|yeah|ja|nein|oui|non|da|нет"
    r"|да|welcome|congratulations|updated?|received|recibido)(?!\w)"
)
_CONTACT = re.compile(
    r"@[\w-]{1,60}\.|https?://|www\.|(?<!\w)(?:tel|tél|teléfono|telefono|phone|ph|mob|mobile|móvil|movil|cel"
    r"|celular|cell|fax|tlf|tfno|whatsapp|skype|direct|office"
    r"|oficina|ext|e-?mail|mail|correo|web|website|handy|mobil|telefon|fon|t|m|p|o|f|e|w|c|d|тел|моб|факс|gsm|puh"
    r"|linkedin|twitter|facebook|instagram"
    r"|telegram|p\.?o\.? box|hrb|vat|nif|rfc|cuit|org\.?\s?nr|fn|reg\.? no|company no|pbx|sitz der gesellschaft"
    r"|geschäftsführer|iban|nit|ruc|gstin)\s?[.:/]|\[cid:|\[image"
    r"|(?<!\w)(?:tel|tél|teléfono|telefono|phone|mob|mobile|móvil|cel|cell|fax|whatsapp|office|handy|тел|m"
    r"|t)\.?\s\+?\(?\d"
)
_PHONE = re.compile(
    r"^\W{0,3}(?:[^\W\d_]{1,12}[.:]?\s?)?\+?\(?\d[\d\s().\-–/]{5,22}\d(?:\s?(?:ext|x|int)\.?\s?\d{1,5})?\W{0,3}$"
)
_PHONE_IN = re.compile(r"(?<![\w.])\+?\(?\d{1,4}\)?[\s.\-/]\(?\d{2,5}\)?[\s.\-/]\d{2,5}(?:[\s.\-/]\d{2,5})?(?!\w)")
_COMPANY = re.compile(
    r"(?<!\w)(?:inc|ltd|llc|llp|gmbh|corp|co|s\.?a\.?|s\.?l\.?|s\.?r\.?l\.?|s\.?a\.?s\.?|s\.?a\.? de c\.?v\.?"
    r"|ltda|pty|plc|kg|ag|ab|as|oy|bv|b\.v|nv|sarl|spa|s\.p\.a|sp\. z o\.o"
    r"|srl|eirl|est|lda|pvt|limited|company|group|grupo|team|support|solutions|soluciones|technologies|systems"
    r"|telematics|tracking|logistics|manager|engineer|director"
    r"|directora|gerente|ingenier[oa]|developer|head of|ceo|cto|cio|coo|founder|consultant|specialist|assistant"
    r"|department|dept|departamento|soporte|desarrollo|sales|ventas|ооо|зао)(?!\w)"
)
_DATA = re.compile(
    r"(?<!\w)(?:imei|iccid|id|sn|s/n|serial|serie|vin|plate|placa|label|login|user|usuario|account|cuenta|device"
    r"|error|model|modelo|ip|apn|port|puerto|sim|status|version)(?!\w)[^\d:=]{0,30}[\d:=]"
)
_LONG_NUMBER = re.compile(r"\d{13,}")
_LIST_ITEM = re.compile(r"^(?:[•*·▪◦]\s|\d{1,3}[.)]\s|-\s?\[|[a-h]\)\s)")
_TITLES = frozenset(
    [
        "lic",
        "ing",
        "eng",
        "dr",
        "dra",
        "mr",
        "mrs",
        "ms",
        "miss",
        "sr",
        "sra",
        "srta",
        "prof",
        "di",
        "dipl-ing",
        "mag",
        "arq",
        "abg",
        "mba",
        "phd",
        "msc",
        "engr",
        "sir",
        "ca",
        "cpa",
        "m.d",
        "h.c",
        "mgr",
        "bc",
    ]
)
_PARTICLES = frozenset(
    [
        "de",
        "del",
        "la",
        "las",
        "los",
        "da",
        "do",
        "dos",
        "das",
        "van",
        "von",
        "der",
        "den",
        "di",
        "du",
        "le",
        "el",
        "al",
        "bin",
        "ibn",
        "y",
        "e",
        "i",
        "zu",
        "ter",
        "ten",
        "af",
        "ben",
        "abu",
        "mac",
    ]
)
_SIGNS_AROUND = re.compile(r"^[\W_]+|[^\w)]+$")
_PS = re.compile(r"^p\.?\s?[sd]\.?\s?[:.,\-–]?\s", re.IGNORECASE)
_DISCLAIMER = re.compile(
    r"^[\W_]{0,4}(?:(?:legal |privacy |confidentiality |email |e-mail |important |electronic )*(?:disclaimer"
    r"|confidentiality (?:notice|note|statement)|confidentiality)\b"
    r"|(?:this|the information in this|the information contained in this|the contents? of this"
    r"|the content of this|information in this|all information in this|any views)"
    r" ?(?:e-?mail|message|communication|transmission|electronic mail|electronic message|correspondence"
    r"|or opinions|and opinions)\b.{0,80}(?:confidential|intended|privileged|attach|addressee|author|virus|solely"
    r"|sender|legally|contain)"
    r"|if you (?:are not|have received|received) (?:the (?:intended|named)|this (?:e-?mail|message|communication))"
    r"|(?:please )?(?:consider|think (?:about|of)|save) the (?:environment|trees|planet)|please consider (?:the"
    r"|our) environment|before printing"
    r"|privileged[ /]|notice: this|important notice|private (?:&|and) confidential|virus-free"
    r"|this email has been (?:scanned|checked)|scanned by|avast|el software de antivirus|libre de virus"
    r"|aviso (?:legal|de confidencialidad|de privacidad|importante)|nota de confidencialidad"
    r"|cláusula de confidencialidad|confidencialidad\b|advertencia legal|descargo de responsabilidad"
    r"|protección de datos"
    r"|(?:este|el presente|la información contenida en este|el contenido de este|la información de este"
    r"|este e-?mail|la presente) ?(?:correo|mensaje|e-?mail|comunicación|comunicado|documento)?\b.{0,80}"
    r"(?:confidencial|destinatari|dirigid|privilegiad|adjuntos)"
    r"|antes de imprimir|por favor,? (?:considere|piense)|piense (?:en el|antes)|cuid(?:a|e"
    r"|emos) el (?:medio ?ambiente|planeta)|no imprima"
    r"|diese (?:e-?mail|nachricht)\b.{0,60}(?:vertraulich|enthält)|der inhalt dieser e-?mail"
    r"|vertraulichkeitshinweis|bitte (?:denken|prüfen) sie .{0,40}(?:umwelt|drucken)"
    r"|ce (?:message|courriel|mail)\b.{0,60}(?:confidentiel|destinat|pièces)|avis de confidentialité"
    r"|merci de ne pas imprimer|pensez à l.environnement|les informations contenues dans ce"
    r"|(?:questo|il presente|il contenuto di questo|le informazioni contenute) .{0,80}(?:riservat|confidenzial"
    r"|destinatari)|avviso di riservatezza"
    r"|(?:esta|este|a presente) (?:mensagem|e-?mail|correio)\b.{0,80}(?:confiden|destinat)"
    r"|aviso de confidencialidade|antes de imprimir"
    r"|(?:dit|deze) (?:bericht|e-?mail)\b.{0,80}(?:vertrouwelijk|bestemd)|(?:настоящее|это|данное) (?:сообщение"
    r"|письмо)\b.{0,80}(?:конфиденц|предназнач)"
    r"|(?:niniejsza|ta) wiadomość\b.{0,80}(?:poufn|przeznaczon)|treść tej wiadomości"
    r"|you (?:received|are receiving) this (?:message|email|e-mail|mail) because|to unsubscribe|unsubscribe:"
    r"|reply to this (?:e-?mail|message) directly|view it on github|para cancelar la suscripción"
    r"|—?\s?you are receiving this because|manage your (?:subscription|notification))"
)
_BANNER = re.compile(
    r"^[\W_]{0,6}(?:caution|warning|external(?: e-?mail| sender| message)?|atención|precaución|achtung|attention"
    r"|cuidado|aviso|you don.t often get email from|some people who received this message"
    r"|no suele recibir correos? electrónicos? de"
    r"|no suele recibir correo electrónico de|be careful|\[ext(?:ernal)?\]|correo externo|extern(?:e|al) e-?mail)\b"
)
_BANNER_BODY = re.compile(
    r"originated (?:from )?outside|outside (?:of )?(?:the|your|our) (?:organi[sz]ation|company|network)"
    r"|external (?:source|sender|email)|fuera de (?:la|su|nuestra) (?:organización|empresa)|remitente externo"
    r"|often get email|learn why|origen externo|externer absender|expéditeur externe|suele recibir|don.t often"
)


def is_footer(line: str) -> bool:
    """ "Sent from my iPhone" and its kin; a sentence that begins like one is none."""
    text = _MARKDOWN_LINK.sub(lambda m: m[1] or "", line[:LINE].strip()).lower()
    if len(text) > 120 or text[-1:] == "?":
        return False
    words = len(text.split())
    device = _DEVICE.search(text) is not None
    if _SENT_FROM.match(text):
        if not device:
            return words <= 6 and "," not in text and ("my " in text or words <= 3) and text[-1] != "."
        return words <= 9 or (words <= 18 and _SENT_FROM_MY.match(text) is not None)
    return device and words <= 8 and (_SENT_LAST.search(text) is not None or _FROM_MY.match(text) is not None)


def without_footers(lines: Sequence[str]) -> list[str]:
    """The lines without footers of phones that stand alone amid the text (a reply below its quote, a mail in"
    " parts)."""
    last = len(lines) - 1
    return [
        line
        for i, line in enumerate(lines)
        if not (
            line.strip()
            and is_footer(line)
            and (i == 0 or not lines[i - 1].strip())
            and (i == last or not lines[i + 1].strip())
        )
    ]


def is_disclaimer(line: str) -> bool:
    text = line[:LINE].strip().casefold()
    return len(text) > 8 and _DISCLAIMER.match(text) is not None


def banner_lines(lines: Sequence[str]) -> int:
    """How many lines at the top are the receiving server's warning of mail from outside."""
    first = next((i for i, line in enumerate(lines[:3]) if line.strip()), None)
    if first is None or not _BANNER.match(lines[first][:LINE].strip().casefold()):
        return 0
    end = first
    while end < len(lines) and end < first + 6 and lines[end].strip():
        end += 1
    text = " ".join(line[: 2 * LINE] for line in lines[first:end]).casefold()
    if len(text) > 600 or not _BANNER_BODY.search(text):
        return 0
    return end


def formula_rest(line: str) -> str | None:
    """What follows a closing formula on its line ("" for nothing); None when the line is not a closing."""
    text = line[:LINE].strip(" \t*_-–—~>.\xa0")
    if not 1 < len(text) <= 90:
        return None
    match = _FORMULA.match(text.lower())
    if match is None:
        return None
    return _SIGNS_AROUND.sub("", text[match.end() :])


def is_formula(line: str) -> bool:
    """Is the whole line a closing: a formula, with at most a name or a place behind it?"""
    rest = formula_rest(line)
    if rest is None:
        return False
    if not rest:
        return True
    if line.rstrip()[-1:] == "?":
        return False
    return name_like(rest, loose=True) or (
        len(rest.split()) <= 5 and _FROM_PLACE.match(rest.casefold()) is not None and rest[-1:] not in ".?"
    )


def name_like(line: str, *, loose: bool = False) -> bool:
    """One to four words that could be a person's name. `loose`: after a formula, where less is needed."""
    text = line[:LINE].strip(" \t*_-–—~/.,\xa0")
    if not 0 < len(text) <= 48 or any(sign in text for sign in ':;?!=<>[]{}@#%$"\\') or any(c.isdigit() for c in text):
        return False
    if not loose and _GREETING.match(text.casefold()):
        return False
    words = text.replace(",", " ").replace("(", " ").replace(")", " ").split()
    proper = [word for word in words if word.strip(".").casefold() not in _TITLES and word.casefold() not in _PARTICLES]
    if not proper or len(proper) > (5 if loose else 4):
        return False
    if len(proper) > 2 and text.isupper() and not loose:
        return False  # a shouted sentence
    for word in proper:
        if not all(c.isalpha() or c in "'’.-`´" for c in word):
            return False
        first = word.lstrip("'’.-")[:1]
        if first.lower() != first.upper() and not first.isupper() and not (loose and len(proper) <= 2):
            return False
    return True


def is_contact(line: str) -> bool:
    text = line[:LINE].strip().casefold()
    return (
        _PHONE.match(text) is not None
        or _CONTACT.search(text) is not None
        or (_PHONE_IN.search(text) is not None and not _LONG_NUMBER.search(text))
    )


def signature_like(line: str) -> bool:
    """Could this line stand in a signature block below a closing formula?"""
    text = line[:LINE].strip()
    if len(line) > 200 and not is_contact(line):
        return False
    folded = text.casefold()
    if _DELIMITER.match(text) or is_footer(line) or formula_rest(line) == "":
        return True
    if text[-1] == "?" or _LIST_ITEM.match(text) or (_LONG_NUMBER.search(text) and not is_contact(line)):
        return False
    if is_contact(line):
        return len(text.split()) <= 16
    words = text.split()
    if len(words) <= 4:
        return text[-1] != ":"
    if "|" in text or "·" in text or _COMPANY.search(folded):
        return len(words) <= 14
    capitals = sum(1 for word in words if word[:1].isupper() or word[:1].isdigit())
    return len(words) <= 12 and capitals * 2 >= len(words)


def closing_start(lines: Sequence[str], sender: frozenset[str] = frozenset(), *, first: bool = True) -> int:
    """Index of the first line of the signature block, `len(lines)` when there is none.

    `first`: nothing of the text stands above these lines, so that the first of them is text.
    `sender`: the words of the sender's display name, case-folded, where it is known.
    """
    end = len(lines)
    window = [i for i in range(max(0, end - 4 * WINDOW), end) if lines[i].strip()][-WINDOW:]
    if not window:
        return end
    start = end
    disclaimer = next((i for i in window if i > window[0] and is_disclaimer(lines[i])), None)
    if disclaimer is not None and _tail_is_short(lines, disclaimer):
        start = disclaimer
    below = [i for i in window if i < start]
    while below and is_footer(lines[below[-1]]):
        start = below.pop()
    while (
        below
        and (_LINK_ONLY.match(lines[below[-1]].strip()) is not None)
        and len(below) > 1
        and is_footer(lines[below[-2]])
    ):
        start = below[-2]
        below = below[:-2]
    delimiter = _delimiter_start(lines, below)
    if delimiter is not None:
        start = delimiter
        below = [i for i in below if i < start]
    block = _block_start(lines, below, sender, first)
    return block if block is not None else start


_LINK_ONLY = re.compile(r"^[<(\[]?https?://\S{1,200}$")


def _tail_is_short(lines: Sequence[str], start: int) -> bool:
    return sum(1 for line in lines[start:] if line.strip()) <= 30


def _delimiter_start(lines: Sequence[str], below: Sequence[int]) -> int | None:
    """The `-- ` line: everything below it is the signature when it is short and no list or prose."""
    for position, index in enumerate(below):
        line = lines[index]
        text = line.strip()
        if not _DELIMITER.match(text):
            continue
        rest = below[position + 1 :]
        if not rest:
            return index
        if len(text) > 5 and not all(signature_like(lines[i]) for i in rest):
            continue  # a rule between parts of the text
        exact = line.rstrip("\r\n") in ("-- ", "--")
        strange = sum(1 for i in rest if not signature_like(lines[i]))
        if strange == 0 or (exact and len(rest) <= 12 and (strange <= 2 or line.endswith(" "))):
            return index
    return None


def _block_start(lines: Sequence[str], below: Sequence[int], sender: frozenset[str], first: bool) -> int | None:
    """The formula or the bare name above everything that looks like a signature; None when there is none."""
    best: int | None = None
    for position in range(len(below) - 1, -1, -1):
        index = below[position]
        line = lines[index]
        if first and position == 0 and not any(line.strip() for line in lines[:index]):
            break  # the first line of all is text
        if is_formula(line):
            best = index
            continue
        if not signature_like(line):
            break
        if len(below) - position > 16:
            break
        named = _names_sender(line, sender)
        if best is not None and is_formula(lines[best]) and not named:
            continue
        if (named and len(line.split()) <= 6 and not is_contact(line)) or _starts_block(lines, index, below[position:]):
            best = index
    return best


def _names_sender(line: str, sender: frozenset[str]) -> bool:
    if not sender or len(line) > 60:
        return False
    words = line.strip(" \t*_-–—~/.,").casefold().replace(",", " ").split()
    if not words or len(words) > 6:
        return False
    return words[0].strip(".") in sender or (len(words) > 1 and words[-1].strip(".") in sender)


def _starts_block(lines: Sequence[str], index: int, block: Sequence[int]) -> bool:
    """Is this line a bare name with nothing but name, firm and contact data below it?"""
    line = lines[index]
    stripped = line.strip()
    dashed = stripped[:1] in "-–—/~" and len(stripped) > 1
    if not name_like(line, loose=dashed):
        return False
    if dashed and len(stripped.split()) > 4:
        return False
    previous = next((lines[i].strip() for i in range(index - 1, -1, -1) if lines[i].strip()), "")
    if not previous or previous[-1] in ":,;":  # (alone below a quote it is an answer)
        return False
    if dashed and previous[:1] in "-–—*•":
        return False  # the last item of a list
    alone = index == 0 or not lines[index - 1].strip()
    if not alone and not dashed:
        return False
    rest = block[1:]
    for i in rest:
        text = lines[i].strip()
        folded = text.casefold()
        if is_contact(text) or _DELIMITER.match(text) or is_footer(text):
            continue
        if _DATA.search(folded) or _LONG_NUMBER.search(text) or (":" in text):
            return False
        if any(c.isdigit() for c in text) and not ("," in text or "·" in text or "|" in text):
            return False
        if len(text.split()) > 10 or (text[-1] in "?!" or (text[-1] == "." and len(text.split()) > 5)):
            return False
    return len(rest) <= 10

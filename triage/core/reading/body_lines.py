"""What a single line of a mail's end may be: a closing, a name, a contact, a phone's footer, a disclaimer."""

from __future__ import annotations

import re
from collections.abc import Sequence

from triage.core.reading.body_formulas import BANNER, BANNER_BODY, DISCLAIMER, FORMULA, GREETING
from triage.core.reading.body_words import DEVICES, SENT_FROM, SENT_FROM_UNSPACED

LINE = 300  # characters of a line that are looked at


def _listed(words: str) -> frozenset[str]:
    return frozenset(words.split())


DELIMITER = re.compile(
    r"^(?:\*{0,2}\.(?: \.){3,40}\*{0,2}|-{2,5}|—{1,3}|–{1,3}|_{2,60}|-{6,60}|[*=~]{3,60}|⸻|\*(?: \*){1,9})[ \t]*$"
)
_SENT_FROM = re.compile(rf"^[\W_]{{0,4}}(?:(?:{SENT_FROM})(?!\w)|{SENT_FROM_UNSPACED})")
_SENT_LAST = re.compile(r"(?:gönderildi|送信|보냄|küldve|sendt|から送信)\W{0,3}$")
_SENT_FROM_MY = re.compile(r"^[\W_]{0,4}(?:sent|get|env|gesendet|von meinem|diese nachricht|mandado|escrito)")
_FROM_MY = re.compile(
    r"^[\W_]{0,4}(?:from my|från min|fra min|desde mi|von meinem|de mon|get|\w{2,20} from (?:my )?mobile)(?!\w)"
)
_MARKDOWN_LINK = re.compile(r"\[([^\[\]]{1,60})\]\([^()]{1,200}\)|<https?:[^<>]{1,200}>")
_DEVICE = re.compile(
    rf"(?<!\w)(?:{DEVICES})(?!\w)|iphone|ipad|android|outlook|samsung|blackberry|手机|mobil|telefon|smartphone"
)

_FROM_PLACE = re.compile(r"^(?:from|desde|aus|de|da|van|z|из)\s+(?:the\s|la\s|el\s)?[^\W\d_]")
_CONTACT = re.compile(
    r"@[\w-]{1,60}\.|https?://|www\.|(?<!\w)(?:tel|tél|teléfono|telefono|phone|ph|mob|mobile|móvil|movil|cel"
    r"|celular|cell|fax|tlf|tfno|whatsapp|skype|direct|office"
    r"|oficina|ext|e-?mail|mail|correo|web|website|handy|mobil|telefon|fon|тел|моб|факс|gsm|puh"
    r"|linkedin|twitter|facebook|instagram"
    r"|telegram|p\.?o\.? box|hrb|vat|nif|rfc|cuit|org\.?\s?nr|fn|reg\.? no|company no|pbx|sitz der gesellschaft"
    r"|geschäftsführer|iban|nit|ruc|gstin)\s?[.:/]|\[cid:|\[image|^!\["
    r"|(?<!\w)[tmpofewcd]\s?[.:]\s?(?:\+?\(?\d|www|http)"
    r"|(?<!\w)(?:tel|tél|teléfono|telefono|phone|mob|mobile|móvil|cel|cell|fax|whatsapp|office|handy|тел|m"
    r"|t)\.?\s\+?\(?\d"
)
_LINK_ONLY = re.compile(r"^[<(\[]?https?://\S{1,200}$")
_PHONE = re.compile(
    r"^\W{0,3}(?:[^\W\d_]{1,12}[.:]?\s?)?\+?\(?\d[\d\s().\-–/]{5,22}\d(?:\s?(?:ext|x|int)\.?\s?\d{1,5})?\W{0,3}$"
)
_PHONE_IN = re.compile(r"(?<![\w.])\+?\(?\d{1,4}\)?[\s.\-/]\(?\d{2,5}\)?[\s.\-/]\d{2,5}(?:[\s.\-/]\d{2,5})?(?!\w)")
_COMPANY = re.compile(
    r"(?<!\w)(?:Inc|INC|Ltd|LTD|LLC|LLP|GmbH|Corp|Co|CO|S\.?A\.?|S\.?L\.?|S\.?R\.?L\.?|S\.?A\.?S\.?|C\.V\.?|Ltda"
    r"|LTDA|Pty|PLC|KG|AG"
    r"|AB|AS|OY|Oy|BV|B\.V|NV|SARL|SpA|S\.p\.A|z o\.o|EIRL|Est|Lda|Pvt|Limited|ООО|ЗАО)(?!\w)"
    r"|(?<!\w)(?i:company|group|grupo|team|support|solutions|soluciones|technologies|systems|telematics|tracking"
    r"|logistics"
    r"|manager|engineer|director|directora|gerente|ingenier[oa]|developer|head of|ceo|cto|cio|coo|founder|consultant"
    r"|specialist|assistant|department|dept|departamento|soporte|desarrollo|sales|ventas)(?!\w)"
)
_COMPANY_LAST = re.compile(
    r"\s(?:gmbh|ag|kg|ltda?|inc|llc|bv|plc|srl|sas|spa|s\.?\s?l|s\.?\s?a(?:\.? de c\.?\s?v)?|c\.?a)\.?$"
)
DATA = re.compile(
    r"(?<!\w)(?:imei|iccid|id|sn|s/n|serial|serie|vin|plate|placa|label|login|user|usuario|account|cuenta|device"
    r"|error|model|modelo|ip|apn|port|puerto|sim|status|version)(?!\w)[^\d:=]{0,30}[\d:=]"
)
LONG_NUMBER = re.compile(r"\d{13,}")
CODE_SIGNS = re.compile(r"[(){}\[\];=<>*]$|[{};=]")
_LIST_ITEM = re.compile(r"^(?:[•*·▪◦]\s|\d{1,3}[.)]\s|-\s?\[|[a-h]\)\s)")
_TITLES = _listed(
    "lic ing eng dr dra mr mrs ms miss sr sra srta prof di dipl-ing mag arq abg mba phd msc engr sir ca cpa"
    " m.d h.c mgr bc"
)
_PARTICLES = _listed(
    "de del la las los da do dos das van von der den di du le el al bin ibn y e i zu ter ten af ben abu mac"
)
_SIGNS_AROUND = re.compile(r"^[\W_]+|[^\w)]+$")
AFTER_NAME = re.compile(r"\s?[|·•]|\s[/–—-]\s")
POSTSCRIPT = re.compile(r"^p\.?\s?[sd]\.?\s?[:.,\-–]?\s", re.IGNORECASE)


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


def is_disclaimer(line: str) -> bool:
    text = line[:LINE].strip().casefold()
    return len(text) > 8 and (DISCLAIMER.match(text) is not None or "utm_campaign=sig-email" in text)


def banner_lines(lines: Sequence[str]) -> int:
    """How many lines at the top are the receiving server's warning of mail from outside."""
    first = next((i for i, line in enumerate(lines[:3]) if line.strip()), None)
    if first is None or not BANNER.match(lines[first][:LINE].strip().casefold()):
        return 0
    end = first
    while end < len(lines) and end < first + 6 and lines[end].strip():
        end += 1
    text = " ".join(line[: 2 * LINE] for line in lines[first:end]).casefold()
    if len(text) > 600 or not BANNER_BODY.search(text):
        return 0
    return end


def formula_rest(line: str) -> str | None:
    """What follows a closing formula on its line ("" for nothing); None when the line is not a closing."""
    text = line[:LINE].strip(" \t*_-–—~>.\xa0")
    if not 1 < len(text) <= 90:
        return None
    match = FORMULA.match(text.lower())
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
    if not loose and GREETING.match(text.casefold()):
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
        or (_PHONE_IN.search(text) is not None and not LONG_NUMBER.search(text))
    )


def is_link(line: str) -> bool:
    """Nothing but a link?"""
    return _LINK_ONLY.match(line.strip()[:LINE]) is not None


def signature_like(line: str) -> bool:
    """Could this line stand in a signature block below a closing formula?"""
    text = line[:LINE].strip()
    if len(line) > 200 and not is_contact(line):
        return False
    if DELIMITER.match(text) or is_footer(line) or formula_rest(line) == "":
        return True
    if text[-1] == "?" or _LIST_ITEM.match(text) or (LONG_NUMBER.search(text) and not is_contact(line)):
        return False
    if is_contact(line):
        return len(text.split()) <= 16
    words = text.split()
    if len(words) <= 4:
        return text[-1] != ":"
    capitals = sum(1 for word in words if word[:1].isupper() or word[:1].isdigit())
    if len(words) <= 8 and _COMPANY_LAST.search(text.lower()):
        return True
    if "|" in text or "·" in text or (_COMPANY.search(text) and capitals * 3 >= len(words)):
        return len(words) <= 14
    return len(words) <= 12 and capitals * 2 >= len(words)

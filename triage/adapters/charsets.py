"""Bytes -> text, whatever their label says.

Labels in mail are often wrong, missing or unknown. A label is believed when its bytes are valid in it; otherwise
validity decides: UTF-8 (hardly ever valid by chance), the hint, Windows-1252 (always possible). Codecs are taken from
a fixed list, never looked up under a name from the wire: Python would remember every unknown name for ever.
"""

from __future__ import annotations

import codecs
import re
from encodings.aliases import aliases
from functools import lru_cache

# Not character sets of mail, though Python calls them encodings.
_REFUSED = {
    "base64_codec", "bz2_codec", "hex_codec", "idna", "mbcs", "oem", "palmos", "punycode", "quopri_codec",
    "raw_unicode_escape", "rot_13", "undefined", "unicode_escape", "uu_codec", "zlib_codec",
}  # fmt: skip

# What labels mean in practice: the superset that real writers use under the narrower name (as web browsers do).
_SUPERSETS = {
    "gb18030": "gb2312 gb_2312_80 gbk x_gbk cp936 gb2312_80 chinese csgb2312 euc_cn gb18030_2000",
    "hz": "hz_gb_2312",
    "cp932": "shift_jis sjis x_sjis ms_kanji windows_31j shiftjis",
    "iso2022_jp_ext": "iso2022_jp iso_2022_jp cp50220",
    "euc_jp": "x_euc_jp",
    "cp949": "euc_kr ks_c_5601_1987 ks_c_5601 korean ksc5601 x_windows_949",
    "big5hkscs": "big5 big5_tw x_x_big5 cn_big5",
    "iso8859_8": "iso_8859_8_i iso_8859_8_e logical visual",
    "iso8859_6": "iso_8859_6_i iso_8859_6_e",
    "iso8859_15": "iso_8859_15",
    "cp850": "cp_850",
    "cp862": "dos_862",
    "cp874": "tis_620 iso_8859_11 windows_874",
    "cp1252": "latin_1 iso_8859_1 iso8859_1 iso_8859_1_i ansi ansi_x3_110_1983 x_ansi",
    "cp1254": "iso_8859_9",
    "mac_roman": "x_mac_roman",
    "mac_cyrillic": "x_mac_cyrillic",
    "koi8_r": "koi8",
    "koi8_u": "koi8_ru",
    "utf_7": "unicode_1_1_utf_7",
    "utf_8": "utf8mb4 utf_8_sig utf8_sig unicode_1_1_utf_8 x_unicode_2_0_utf_8",
    "utf_16": "ucs_2 unicode",
    "utf_16_be": "iso_10646_ucs_2",
}
_MEANT = {label: name for name, labels in _SUPERSETS.items() for label in labels.split()}
_WESTERN = {"ascii", "cp1252", "iso8859_15", "mac_roman", "cp850", "cp437"}
# ASCII bytes of these need not be ASCII text.
_STATEFUL = {
    "utf_7", "hz", "iso2022_jp_ext", "iso2022_jp_1", "iso2022_jp_2", "iso2022_jp_2004", "iso2022_jp_3",
    "iso2022_kr", "utf_16", "utf_16_be", "utf_16_le", "utf_32", "utf_32_be", "utf_32_le",
}  # fmt: skip
_KNOWN = {**{name: name for name in aliases.values()}, **aliases}
# Windows-1252 with its five holes filled as in Latin-1, so that no byte is undefined.
_CP1252 = "".join(
    bytes([n]).decode("cp1252") if n not in (0x81, 0x8D, 0x8F, 0x90, 0x9D) else chr(n) for n in range(256)
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_META = re.compile(rb"<meta[^>]{1,200}charset[ \t]{0,4}=[ \t\"']{0,4}([A-Za-z0-9_:.-]{2,40})", re.I)


@lru_cache(maxsize=512)
def codec(label: str) -> str:
    """The Python codec for a label from the wire; "" when it names none."""
    name = re.sub(r"[^a-z0-9]+", "_", label.partition("*")[0].lower()[:60]).strip("_")
    meant = _MEANT.get(name)
    if meant:
        return meant
    spelt = re.sub(
        r"^(?:x_|cs)?(windows|cp|iso|utf|koi8|ibm|mac)_?", r"\1_", re.sub("^win_?(?=[0-9])", "windows_", name)
    )
    for form in (name, spelt, spelt.replace("_", "", 1), spelt.replace("windows_", "cp"), "x" + name):
        found = _MEANT.get(form) or _KNOWN.get(form)
        if found and found not in _REFUSED:
            return _MEANT.get(found, found)
    return ""


def decode(data: bytes, label: str = "", hint: str = "") -> tuple[str, bool]:
    """The text, and whether the label was right (or absent with nothing to decide)."""
    name = codec(label) if label else ""
    if data.isascii() and name not in _STATEFUL:
        if b"\x1b$" in data or b"\x1b(" in data:
            return _scalar(data.decode("iso2022_jp_ext", "replace")), name.startswith("iso2022")
        return data.decode("ascii"), True
    if data.startswith(codecs.BOM_UTF8):
        return data[3:].decode("utf-8", "replace"), True
    if not name and data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return _scalar(data.decode("utf-16", "replace")), True
    if not name or name in _WESTERN:
        text = _strict(data, "utf_8")
        if text is not None:
            return text, name == ""
        text = None if name not in ("", "ascii") else _strict(data, codec(hint))
        return (text, False) if text is not None else (_western(data, name), bool(name) and name != "ascii")
    text = _strict(data, name)
    if text is not None:
        return text, True
    text = _strict(data, "utf_8")
    if text is not None:
        return text, False
    # Damaged rather than mislabelled, when most of it is valid.
    text = _scalar(data.decode(name, "replace"))
    bad = text.count("\ufffd")
    if bad <= sum(char > "\x7f" for char in text) - bad:
        return text, False
    return _western(data, ""), False


def html_label(data: bytes) -> str:
    """The charset that an HTML page claims for itself, for parts whose header is silent."""
    found = _META.search(data[:4096])
    return found[1].decode("ascii") if found else ""


def _strict(data: bytes, name: str) -> str | None:
    if not name:
        return None
    try:
        if name == "cp1252":
            return codecs.charmap_decode(data, "strict", _CP1252)[0]
        text = data.decode(name)
    except (UnicodeError, LookupError):
        return None
    return None if _SURROGATE.search(text) else text


def _western(data: bytes, name: str) -> str:
    if name in ("", "ascii", "cp1252"):
        return codecs.charmap_decode(data, "strict", _CP1252)[0]
    return _scalar(data.decode(name, "replace"))


def _scalar(text: str) -> str:
    """Without lone surrogates, which some codecs make and no output accepts."""
    return _SURROGATE.sub("\ufffd", text)

"""Domains at which anybody can have an address: none of them ever stands for a partner as a whole."""

from __future__ import annotations

import re

# com.mx, co.uk: under such a name are everybody's domains.
_SHARED = re.compile(r"(?:ac|co|com|edu|gob|gov|go|info|net|nom|or|org)\.[a-z]{2}")


def open_to_anybody(domain: str) -> bool:
    """Whether mail from this domain (ASCII, lower case) says nothing about who sent it."""
    return domain in _FREE_MAIL or _SHARED.fullmatch(domain) is not None


# fmt: off
_FREE_MAIL = frozenset(
    (
        "126.com", "163.com", "alice.it", "aliyun.com", "aol.com", "arcor.de", "att.net", "bellsouth.net",
        "bigpond.com", "bk.ru", "bluewin.ch", "bol.com.br", "btinternet.com", "cantv.net", "comcast.net",
        "cox.net", "daum.net", "duck.com", "email.com", "entel.bo", "etb.net.co", "fastmail.com",
        "fibertel.com.ar", "foxmail.com", "free.fr", "freenet.de", "gmail.com", "gmx.at", "gmx.ch", "gmx.com",
        "gmx.de", "gmx.es", "gmx.fr", "gmx.net", "googlegroups.com", "googlemail.com", "groups.io", "hanmail.net",
        "hey.com", "hotmail.cl", "hotmail.co", "hotmail.co.jp", "hotmail.co.uk", "hotmail.com", "hotmail.com.ar",
        "hotmail.com.br", "hotmail.com.mx", "hotmail.es", "hotmail.fr", "hotmail.it", "hushmail.com", "i.ua",
        "icloud.com", "ig.com.br", "inbox.ru", "interia.pl", "kpnmail.nl", "laposte.net", "libero.it", "list.ru",
        "live.cl", "live.co.uk", "live.com", "live.com.ar", "live.com.mx", "live.fr", "live.nl", "mac.com",
        "mail.com", "mail.ee", "mail.ru", "mailbox.org", "me.com", "meta.ua", "msn.com", "naver.com", "o2.pl",
        "onet.pl", "onmicrosoft.com", "ono.com", "optusnet.com.au", "orange.fr", "outlook.com", "outlook.com.ar",
        "outlook.com.br", "outlook.es", "planet.nl", "pm.me", "posteo.de", "privaterelay.appleid.com",
        "prodigy.net.mx", "proton.me", "protonmail.com", "qq.com", "rambler.ru", "rediffmail.com",
        "rocketmail.com", "rogers.com", "sapo.pt", "sbcglobal.net", "seznam.cz", "sfr.fr", "shaw.ca", "sina.com",
        "skynet.be", "speedy.com.ar", "t-online.de", "telefonica.net", "telenet.be", "terra.com.br", "terra.es",
        "tiscali.it", "tuta.com", "tutanota.com", "ukr.net", "uol.com.br", "usa.com", "verizon.net",
        "virgilio.it", "vtr.net", "wanadoo.fr", "web.de", "wp.pl", "xtra.co.nz", "ya.ru", "yahoo.ca", "yahoo.cl",
        "yahoo.co.id", "yahoo.co.in", "yahoo.co.jp", "yahoo.co.uk", "yahoo.com", "yahoo.com.ar", "yahoo.com.au",
        "yahoo.com.br", "yahoo.com.co", "yahoo.com.mx", "yahoo.com.pe", "yahoo.com.ve", "yahoo.de", "yahoo.es",
        "yahoo.fr", "yahoo.in", "yahoo.it", "yandex.com", "yandex.ru", "yeah.net", "ymail.com", "ziggo.nl",
        "zoho.com", "zohomail.com",
    )
)

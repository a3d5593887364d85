"""HTML mail as the text that a plain mail program would have written."""

from __future__ import annotations

import time

import pytest

from triage.adapters.html import to_text
from triage.core.reading.body import take_apart

LAYOUT = {
    "paragraphs": ("<p>One.</p><p>Two.</p>", "One.\n\nTwo."),
    "line breaks": ("One<br>two<br><br>three", "One\ntwo\n\nthree"),
    "divs are lines": ("<div>One</div><div>Two</div><div><br></div><div>Three</div>", "One\nTwo\n\nThree"),
    "outlook's tight paragraphs": (
        "<p class=MsoNormal>One</p><p class=MsoNormal>&nbsp;</p><p class=MsoNormal>Two</p><p class=MsoNormal>Three</p>",
        "One\n\nTwo\nThree",
    ),
    "spaces": ("<p>  a \n <b> b</b>&nbsp; c</p>", "a b c"),
    "inline elements": ("an <b>IM</b>EI: <span>35963</span>3100", "an IMEI: 359633100"),
    "a list": ("<ul><li>one</li><li>two<ul><li>in</li></ul></li></ul>", "- one\n- two\n  - in"),
    "a numbered list": ("<ol><li>one</li><li><p>two</p></li></ol>", "1. one\n\n2. two"),
    "a table": (
        "<table><tr><th>IMEI</th> <th>Plate</th></tr><tr><td>1</td><td>2</td></tr></table>",
        "IMEI\tPlate\n1\t2",
    ),
    "preformatted text": ("<pre>a  b\n  c</pre>d", "a  b\n  c\n\nd"),
    "entities": ("a &lt;b&gt; &amp; &#241;", "a <b> & ñ"),
    "hidden text": ('<div style="display: none">x</div><span hidden>y</span>a<style>z</style><script>w</script>', "a"),
    "a preheader": ('<div style="max-height:0;overflow:hidden">x</div><div style="max-height:0.5em">y</div>', "y"),
    "a tracking pixel": ('a<img src="http://t.example/x" width="1" height="1" alt="x">', "a"),
    "a picture": ('a <img src="cid:1" alt="screen.png">', "a [image: screen.png]"),
    "comments": ("a<!-- b --><!--[if mso]>c<![endif]-->", "a"),
    "a link": ('see <a href="https://a.example/b">the report</a>.', "see the report <https://a.example/b>."),
    "a link that is its text": ('<a href="https://a.example/b/">a.example/b</a>', "a.example/b"),
    "a mail link": ('<a href="mailto:a@b.example">a@b.example</a>', "a@b.example"),
    "a rewritten link": (
        '<a href="https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fa.example%2Fb&amp;data=1">log</a>',
        "log <https://a.example/b>",
    ),
    "a tracker's link": (f'<a href="https://t.example/{"x" * 400}">Help</a>', "Help"),
    "a script link": ('<a href="javascript:x()">Help</a>', "Help"),
    "nothing": ("<html><body></body></html>", ""),
    "no html at all": ("just text", "just text"),
}


@pytest.mark.parametrize("name", LAYOUT)
def test_layout_becomes_lines(name: str) -> None:
    html, text = LAYOUT[name]
    assert to_text(html) == text


OWN = "<div>The report is empty.</div>"
REPLIES = {
    "gmail": '<br><div class="gmail_quote"><div class="gmail_attr">On Tue, Jul 8, 2025 at 11:20 AM Vera &lt;<a '
    'href="mailto:v@s.example">v@s.example</a>&gt; wrote:<br></div><blockquote class="gmail_quote">Which one?'
    "</blockquote></div>",
    "apple mail": '<br><blockquote type="cite"><div>On 8 Jul 2025, at 11:20, Vera wrote:</div>Which one?</blockquote>',
    "thunderbird": '<div class="moz-cite-prefix">Am 08.07.2025 um 11:20 schrieb Vera:<br></div><blockquote type="cite">'
    "<p>Which one?</p></blockquote>",
    "outlook on the web": '<div id="appendonsend"></div><hr><div id="divRplyFwdMsg"><b>From:</b> Vera<br><b>Sent:</b> '
    "Tuesday<br><b>To:</b> Ken<br><b>Subject:</b> Re</div><div>Which one?</div>",
    "outlook, quoted again": '<div id="x_divRplyFwdMsg"><b>Lähettäjä:</b> Vera</div><div>Which one?</div>',
    "outlook": "<div><div style='border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt'><p class=MsoNormal>"
    "<b>De:</b> Vera<br><b>Enviado:</b> martes<br><b>Para:</b> Ken</p></div></div><p>Which one?</p>",
    "windows mail": '<div style="border-top-color: gray; border-top-width: 1px; border-top-style: solid;">'
    "<b>От:</b> Vera<br></div><div>Which one?</div>",
    "outlook for mac": '<span id="OLK_SRC_BODY_SECTION"><b>From:</b> Vera<br>Which one?</span>',
    "yahoo": '<div class="ydp1a2b3c4dyahoo_quoted">On July 8, 11:20 AM, Vera wrote:<div>Which one?</div></div>',
    "zimbra": '<hr id="zwchr" data-marker="__DIVIDER__"><div><b>De: </b>"Vera"<br></div><div>Which one?</div>',
    "mail.ru": 'Вт, 8 июл 2025, 11:20 +03:00 от Vera &lt;v@s.example&gt;:<br><blockquote style="border-left:1px solid '
    '#0857A6;margin:10px">Which one?</blockquote>',
    "proton": '<div class="protonmail_quote">On Tuesday, Vera wrote:<br><blockquote>Which one?</blockquote></div>',
}


@pytest.mark.parametrize("program", REPLIES)
def test_quoted_mail_is_told_from_the_reply(program: str) -> None:
    body = take_apart(to_text(OWN + REPLIES[program]), subject="Re: report")
    assert body.text == "The report is empty."
    assert "Which one?" in body.quoted


def test_an_answer_inside_the_quote_stays() -> None:
    html = (
        '<div>See below.</div><div class="gmail_quote">On 8 Jul 2025 at 11:20 Vera &lt;v@s.example&gt; wrote:<br>'
        "<blockquote class=gmail_quote>Which tracker?</blockquote><div>359633100000001</div>"
        "<blockquote class=gmail_quote>Since when?</blockquote><div>Monday</div></div>"
    )
    assert take_apart(to_text(html)).text.split() == ["See", "below.", "359633100000001", "Monday"]


def test_an_indented_paragraph_is_no_quote() -> None:
    html = '<p>I did:</p><blockquote style="margin:0 0 0 40px;border:none;padding:0px">open, save</blockquote>'
    assert to_text(html) == "I did:\n\nopen, save"


@pytest.mark.parametrize(
    "signature",
    [
        '<div class="gmail_signature" dir="ltr">Ken Okoro<br>whatever he likes to say of himself here.</div>',
        '<div class="moz-signature">-- <br>Ken</div>',
        '<div id="Signature"><p>Ken Okoro</p><p>Okoro Tracking</p></div>',
        '<div id="ms-outlook-mobile-signature">Get <a href="https://aka.ms/x">Outlook for iOS</a></div>',
    ],
)
def test_a_signature_container_is_cut(signature: str) -> None:
    assert take_apart(to_text(OWN + signature)).text == "The report is empty."


def test_text_written_into_the_signature_container_stays() -> None:
    assert to_text('<div id="Signature">The report is empty.</div>') == "The report is empty."


def test_forwarded_html_is_set_apart() -> None:
    html = (
        '<div>Please help.</div><div class="gmail_quote">---------- Forwarded message ---------<br>From: <b>Ann</b> '
        "&lt;a@c.example&gt;<br>Subject: No data<br>To: &lt;k@p.example&gt;<br><br>No data since noon.</div>"
    )
    body = take_apart(to_text(html), subject="Fwd: No data")
    assert (body.text, body.has_quote) == ("Please help.", False)
    assert body.forwarded.endswith("No data since noon.")


HOSTILE = {
    "attributes": "<a " + " ".join(f"a{i}=1" for i in range(40_000)) + ">",
    "attributes with brackets": "<a " + " ".join(f"a{i}='<>'" for i in range(20_000)) + ">x",
    "many tags of many attributes": ("<a " + " ".join(f"a{i}=1" for i in range(59)) + ">x</a>") * 700,
    "formatting": "".join(f"<b a={i}>" for i in range(12_000)) + "<p>x" * 30_000,
    "nesting": "<div>" * 60_000,
    "crossed nesting": "<div><span>" * 20_000 + "</div></span>" * 5_000,
    "open tags": "<a " * 90_000,
    "open comments": "<!-- " * 50_000,
    "brackets": "<" * 1_000_000,
    "open quotes": "<a '" + '<a "' * 60_000,
    "entities": "&amp" * 60_000,
    "paragraphs": "<p>x" * 60_000,
    "items": "<ol>" + "<li>x" * 50_000,
    "tables": "<table><tr><td>x" * 15_000,
    "quotes": "<blockquote type=cite>" * 12_000,
    "rules": "<div style='border-top:1px solid'>" * 8_000,
    "signatures": "<p>x</p>" + "<div class=gmail_signature>x</div>" * 7_000,
    "links": "<p>z<a href=http://x.example/y>x</a>" * 8_000,
    "long text": "x" * 5_000_000,
    "lone surrogates": "\ud800<p>\udfff",
    "nulls": "\0" * 100_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_html_ends_in_bounded_time_and_never_raises(name: str) -> None:
    start = time.perf_counter()
    take_apart(to_text(HOSTILE[name]))
    assert time.perf_counter() - start < 2.0

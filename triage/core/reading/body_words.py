"""The words of mail clients and of letters, in the languages that reach a support mailbox.

Technicalities of quoting ("On ... wrote:", "Von:", "Sent from my iPhone") and the formulas that end a letter: no matter
of a vendor, hence code and not pack. Everything is lower case and matched against case-folded text; an entry is added
by writing it into the line of its language. `body_marks` and `body_closing` make their patterns from these tables.
"""

from __future__ import annotations

# "... wrote:" The last word of an attribution line, or the one before its colon.
WROTE = (
    "wrote|writes|sent|said|has written"  # en
    "|escribió|escribio|escribe|ha escrito|escribían|escribia"  # es
    "|schrieben sie|schrieb|schreibt|hat geschrieben|geschrieben|gesendet"  # de
    "|a écrit|a ecrit|nous a dit|écrit|écrivait|a envoyé"  # fr
    "|ha scritto|scrisse|scrive|ha inviato"  # it
    "|escreveu|escreve|escreveu o seguinte"  # pt
    "|schreef|heeft geschreven|het volgende geschreven|schrijft"  # nl
    "|napisał|napisała|napisał\\(a\\)|napisał/a|napisal|napisala|pisze"  # pl
    "|skrev|skriver|har skrevet|har skrivit"  # sv da no
    "|kirjoitti|kirjutas"  # fi et
    "|napsal|napsala|napsal\\(a\\)|napísal|napísala|napísal\\(a\\)|píše"  # cs sk
    "|написал|написала|написал\\(а\\)|пишет|писал|писала|писал\\(а\\)|написав|написала|пише|писав"  # ru uk
    "|написа|пиша"  # bg
    "|yazdı|yazdi|şunu yazdı|şunları yazdı|tarihinde yazdı"  # tr
    "|írta|ezt írta|irta"  # hu
    "|a scris"  # ro
    "|έγραψε|έγραψε\\(ν\\)"  # el
    "|je napisao|je napisala|je napisao/la|napisao|piše|је написао|је написала|је написао/ла|написао"  # hr sr sl
    "|rašė|parašė|rakstīja"  # lt lv
    "|đã viết|viết"  # vi
    "|menulis"  # id
    "|va escriure|escrigué|ha escrit|escribiu|idatzi du"  # ca gl eu
    "|כתב|כתבה|כתב/ה|כתב\\(ה\\)|‏כתב"  # he
    "|كتب|كتبت|نوشت"  # ar fa
    "|sinulat ni"  # tl
)
# The same in scripts that put no space between words: zh ja ko th hi.
WROTE_UNSPACED = "写道|寫道|撰寫|撰写|のメール|書きました|작성|님이 쓴 글|เขียนว่า|लिखा"

# What an attribution line begins with when not with a date, a time or a weekday; a date must follow it.
INTRO_START = (
    "on|at|en|o|el|el el|a|le|am|den|il|em|no dia|op|w|dnia|dne|dňa|på|pe|pada|vào|vào lúc|ngày|в|от|на|у|στις|la|în"
    "|in|kl|i"
    "|ons|dana|noong|v v|در تاریخ"
    "|בתאריך|ב|في|في يوم|在|于|於|ma|tanggal"
)
INTRO_LINK = "giorno|dniu|data|date du|tanggal|יום|lúc|the|dia|dato"
WEEKDAYS_LONG = (
    "mon|tue|wed|thu|fri|sat|sun|lun|mar|mié|mie|jue|vie|sáb|sab|dom|mont|dien|mitt|donn|frei|sams|sonn|mer|jeu"
    "|ven|sam|dim"
    "|gio|seg|ter|qua|qui|sex|sáb|maan|dins|woen|vrij|zate|zond|pon|wto|śro|czw|pią|piąt|sob|nie|niedz|понед"
    "|вторн|сред|четв"
    "|пятн|субб|воскр|понеділ|вівтор|серед|пʼятн|субот|неділ|pzt|paz|sal|çar|per|cum|cmt|cuma|mån|tis|ons|tors"
    "|fre|lör|sön"
    "|man|tir|lør|søn|maanan|tiist|keski|torst|perjan|lauan|sunnun|úter|stře|čtv|pát|neděl|hét|kedd|szer|csüt|pén"
    "|szom|vas"
    "|δευ|τρί|τετ|πέμ|παρ|σάβ|κυρ|pir|otr|treš|cet|pie|ses|svē|уто|сре|чет|пет|нед|čet|pet|sre|jum|sen|sel|rab"
    "|kam|min|الاثنين|الثلاثاء|الأربعاء|الخميس|الجمعة|السبت|الأحد"
)
WEEKDAYS_SHORT = (
    "mo|di|mi|do|fr|sa|so|ma|wo|vr|za|zo|wt|śr|pt|пн|вт|ср|чт|пт|сб|вс|нд|ke|to|pe|la|su|ti|po|út|st|čt|pá|ne|pi"
    "|th|t2|cn|an|tr|kt|pn|št|sk|dt|dl|dc|dj|dv|ds|dg"
    "|א|ב|ג|ד|ה|ו|ש"
)
MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"

# "Juan wrote us": words beside the verb by which a sentence of the sender betrays itself.
PRONOUNS = (
    "me|nos|le|les|te|os|us|mich|uns|ihm|ihr|lui|ci|mi|vi|mij|ons|мне|нам|also|already|ya|just|previously|to|que"
    "|that|he"
    "|she|they|i|we"
)
# Words that stand before a user's name, which may be lower case.
USER = "пользователь|користувач|użytkownik|user|usuario|utente|benutzer|χρήστης|odesílatel|via"

# Header names of a quoted block, by what they hold.
HEADERS: dict[str, str] = {
    name: kind
    for kind, names in {
        "from": "from|sender|de|remitente|von|absender|expéditeur|da|mittente|van|afzender|od|nadawca|от|от кого"
        "|від|від кого"
        "|från|avsändare|fra|avsender|afsender|lähettäjä|odesílatel|odosielateľ|kimden|gönderen|feladó|de la|από"
        "|dari|từ|saatja"
        "|nuo|no|pošiljatelj|šalje|шаље|nork|发件人|寄件者|寄件人|差出人|送信者|보낸 사람"
        "|보낸사람|מאת|من|จาก|از|expeditor|remetente|mittente",
        "date": "date|sent|sent at|sent on|fecha|enviado|enviado el|enviado em|enviada em|enviada|enviado a"
        "|fecha de envío|gesendet"
        "|gesendet am|datum|date d'envoi|envoyé|envoyé le|envoyé par|inviato|data|verzonden|verzonden op|wysłano"
        "|data wysłania"
        "|wysłane|отправлено|дата|отправлен|надіслано|skickat|skickat den|sendt|dato|lähetetty|päiväys|päivämäärä"
        "|odesláno"
        "|odoslané|dátum|gönderildi|gönderme tarihi|tarih|elküldve|küldve|trimis|στάλθηκε|ημερομηνία|dikirim"
        "|tanggal|đã gửi"
        "|ngày|saadetud|kuupäev|išsiųsta|nosūtīts"
        "|poslano|poslato|послато|изпратено|saatmisaeg|αποστολή|تاريخ الإرسال|ارسال شده|enviat|enviat el"
        "|data d'enviament|bidaltze-data|bidalia|发送时间|发送日期|日期|寄件日期|傳送日期|傳送時間|送信日時|日付|日時"
        "|보낸 날짜|날짜|נשלח|תאריך|تاريخ|تم الإرسال|التاريخ|poslané",
        "to": "to|para|an|empfänger|à|a|pour|destinataire|per|destinatario|aan|do|adresat|кому|кому:|till|til"
        "|vastaanottaja"
        "|komu|kime|alıcı|címzett|către|catre|προς|kepada|đến"
        "|tới|kellele|adressaat|untuk|ke|до|прима|per a"
        "|nori|به|kam|kam:|za|prima|收件人|收件者|宛先|받는 사람|받는사람"
        "|אל|إلى|ถึง|destinatário|à :|an:",
        "subject": "subject|asunto|betreff|objet|sujet|oggetto|assunto|onderwerp|temat|тема|ämne|emne|aihe"
        "|předmět|predmet|konu"
        "|tárgy|subiect|θέμα|subjek|perihal|chủ đề|tiêu đề"
        "|teema|tema|tēma|относно|assumpte|gaia|موضوع|主题|主旨|主題|件名|제목|נושא|الموضوع|เรื่อง|zadeva"
        "|naslov",
        "cc": "cc|bcc|cco|kopie|copie|copie à|copia|c.c.|kopia|kopi|dw|копия|копія|bilgi|másolatot kap|kopija|抄送"
        "|副本|참조"
        "|עותק|kk|koopia|copia a|cc/cci|cc:",
        "other": "reply-to|reply to|responder a|antwort an|répondre à|organization|organisation|importance"
        "|importancia|wichtigkeit"
        "|priority|prioridad|attachments|adjuntos|datos adjuntos|anlagen|pièces jointes|allegati|bijlagen"
        "|message-id|x-mailer"
        "|resent-from|delivered-to|mailed-by|signed-by|newsgroups|категория|attachment|vlož. soubor"
        "|list-unsubscribe|importance"
        "|important|sensitivity|categories|conversation|rispondi a|beantwoorden aan|svar til|svara till|odpověď komu",
    }.items()
    for name in names.split("|")
}

# The words between the dashes of "-----Original Message-----".
ORIGINAL = (
    "original message|original message headers|original email|original mail|original appointment|reply message"
    "|previous message|original e-mail"
    "|mensaje original|mensaje anterior|correo original|mensaje original|correo electrónico original|mensaje citado"
    "|ursprüngliche nachricht|ursprungliche nachricht|originalnachricht|original-nachricht|original nachricht"
    "|antwort nachricht"
    "|originalmail|ursprüngliche e-mail"
    "|message d'origine|message d’origine|message original|message initial|e-mail d'origine|mail original"
    "|message d''origine"
    "|messaggio originale|messaggio originario|messaggio di origine"
    "|mensagem original|mensagem anterior"
    "|oorspronkelijk bericht|origineel bericht|oorspronkelijke bericht"
    "|wiadomość oryginalna|oryginalna wiadomość|wiadomość pierwotna|treść oryginalnej wiadomości|oryginalna wiadomosc"
    "|исходное сообщение|оригинальное сообщение|исходное письмо|оригинал сообщения|первоначальное сообщение"
    "|вихідне повідомлення"
    "|ursprungligt meddelande|originalmeddelande|ursprungsmeddelande|oprindelig meddelelse|original meddelelse"
    "|opprinnelig melding|den ursprungliga meddelandet|alkuperäinen viesti"
    "|původní zpráva|puvodni zprava|původní e-mail|původní email|pôvodná správa|orijinal mesaj|özgün ileti"
    "|orijinal ileti"
    "|eredeti üzenet|mesaj original|mesajul original|αρχικό μήνυμα|pesan asli|pesan awal|thư gốc|izvorna poruka"
    "|originalna poruka"
    "|izvirno sporočilo|algkiri|originaalkiri|originalus laiškas"
    "|оригінальне повідомлення|missatge original|mensaxe orixinal|jatorrizko mezua|originalna poruka"
    "|оригинална порука"
    "|原始邮件|原始郵件|原邮件|元のメッセージ|オリジナルメッセージ|원본 메시지"
    "|원본 메일|원본 이메일|הודעה מקורית|الرسالة الأصلية"
)

# The words of a client that announce forwarded mail.
FORWARDED = (
    "forwarded message|begin forwarded message|forwarded by|forwarded mail|forwarded email|forwarded e-mail"
    "|start of forwarded message"
    "|beginning of forwarded message|forward message|forwarded"
    "|mensaje reenviado|mensaje remitido|inicio del mensaje reenviado|inicio de mensaje reenviado"
    "|correo reenviado|reenviado por"
    "|comienzo del mensaje reenviado|mensaje reenviado por"
    "|weitergeleitete nachricht|anfang der weitergeleiteten nachricht|weitergeleitete e-mail|weitergeleitet von"
    "|message transféré|message transfere|début du message transféré|debut du message transfere"
    "|début du message réexpédié"
    "|message réexpédié|transféré par|courriel transféré"
    "|messaggio inoltrato|inizio messaggio inoltrato|inizio del messaggio inoltrato|inoltrato da"
    "|mensagem encaminhada|início da mensagem encaminhada|inicio da mensagem encaminhada|mensagem reencaminhada"
    "|encaminhado por"
    "|início da mensagem reencaminhada"
    "|doorgestuurd bericht|begin doorgestuurd bericht|doorgezonden bericht|doorgestuurd door"
    "|wiadomość przekazana|przekazana wiadomość|początek przekazywanej wiadomości|wiadomość przesłana dalej"
    "|treść przekazanej wiadomości"
    "|пересланное сообщение|пересылаемое сообщение|начало переадресованного сообщения|начало пересылаемого сообщения"
    "|пересылаемое письмо|переслане повідомлення|перенаправленное сообщение"
    "|vidarebefordrat meddelande|vidarebefordrat brev|videresendt meddelelse|videresendt melding|vidaresendt melding"
    "|påbörjat vidarebefordrat meddelande|start på videresendt besked|videresendt mail|välitetty viesti"
    "|edelleenlähetetty viesti"
    "|přeposlaná zpráva|přeposlaný e-mail|preposlaná správa|preposlana zprava|yönlendirilmiş mesaj"
    "|iletilmiş mesaj|iletilen mesaj"
    "|iletilen ileti|továbbított üzenet|mesaj redirecționat|mesaj redirectionat|προωθημένο μήνυμα|pesan terusan"
    "|pesan yang diteruskan"
    "|thư được chuyển tiếp|proslijeđena poruka|prosleđena poruka|posredovano sporočilo|edastatud kiri"
    "|persiųstas laiškas"
    "|转发的邮件|轉寄的郵件|转发邮件|已转发邮件|转发邮件信息|転送メッセージ|転送されたメール|전달된 메시지"
    "|הודעה שהועברה|رسالة معاد توجيهها|الرسالة المعاد توجيهها"
)

# Subject prefixes of a forward. Prefixes that mean "reply" in another language (VS, SV) are left out.
FORWARD_PREFIXES = (
    "fw|fwd|fwd:|rv|rm|wg|tr|enc|reenv|doorst|pd|vb|vl|vidaresänt|fs|ilt|továbbítás|转发|轉寄|転送|전달|i|пересл"
)

# Lines that ticket systems put above the quote.
REPLY_ABOVE = (
    "reply above this line|type your reply above|write above this line|write below this line|enter your reply above"
    "|add your reply above|reply above the line|please reply above|do not write below this line|reply-above"
    "|escriba su respuesta por encima|responda por encima de esta línea|responda encima de esta línea"
    "|escriba su respuesta encima"
    "|responda por encima de esta linea|respuesta por encima de esta línea"
    "|bitte oberhalb dieser zeile|antworten sie oberhalb dieser linie|antwort oberhalb dieser zeile|über dieser zeile"
    "|répondre au-dessus de cette ligne|répondez au-dessus de cette ligne|répondre ci-dessus"
    "|saisissez votre réponse au-dessus"
    "|responda acima desta linha|digite sua resposta acima|rispondi sopra questa riga|scrivere sopra questa riga"
    "|typ je antwoord boven|antwoord boven deze regel|ответьте выше этой строки|введите ответ над этой строкой"
)

# What phones and web mailers put below a mail; the rest of the line names the product.
SENT_FROM = (
    "sent from|sent via|sent using|sent with|sent by|sent on|sent wirelessly|sent mobile|sent through|sent thanks to"
    "|get outlook for|get yahoo mail|download outlook for|download the all-new|composed on|typed on|written on"
    "|enviado desde|enviado con|enviado vía|enviado via|enviado por|enviado mediante|enviado de|enviado a partir"
    "|obtener outlook para"
    "|obtén outlook para|obtenga outlook para|descargar outlook|mandado desde|escrito desde|mensaje enviado desde"
    "|gesendet von|gesendet mit|von meinem|diese nachricht wurde von meinem|gesendet über|outlook für"
    "|holen sie sich outlook"
    "|hol dir outlook|versendet mit|von unterwegs"
    "|envoyé de|envoyé depuis|envoyé à partir|envoyé avec|envoyé via|envoyé par|envoyé sans fil|obtenez outlook"
    "|télécharger outlook"
    "|inviato da|inviato con|inviato dal|inviato tramite|ottieni outlook|scarica outlook|spedito da"
    "|enviado do|enviado pelo|enviada do|enviado da|obter o outlook|obtenha o outlook|baixe o outlook"
    "|verzonden vanaf|verstuurd vanaf|verzonden met|verstuurd met|verzonden door|verstuurd via|verzonden via"
    "|outlook voor|verstuurd vanuit"
    "|wysłane z|wysłano z|wysłane przy|pobierz outlook|wyslane z|wiadomość wysłana z"
    "|отправлено с|отправлено из|отправлено через|отправлено от|послано с|надіслано з|скачать outlook"
    "|skickat från|skickat med|skickat via|hämta outlook|sendt fra|sendt via|sendt med|hent outlook"
    "|last ned outlook|skaffa outlook"
    "|få outlook|lähetetty|hanki outlook|odesláno z|odeslano z|získejte outlook|odoslané z|stáhněte si outlook"
    "|poslané z"
    "|iphone'umdan gönderildi|gönderildi|benim iphone|outlook'u edinin|elküldve|küldve|trimis de pe|trimis din"
    "|στάλθηκε από"
    "|dikirim dari|dapatkan outlook|được gửi từ|gửi từ|poslano iz|poslano sa|saadetud minu|išsiųsta iš|nosūtīts no"
    "|נשלח מה|أرسلت من|تم الإرسال من"
)
# The same in scripts that put no space between words.
SENT_FROM_UNSPACED = "发自我的|从我的|发送自|發自我的|從我的|나의 ?iphone"
DEVICES = (
    "iphone|ipad|ipod|ios|android|galaxy|samsung|huawei|xiaomi|redmi|poco|realme|oppo|vivo|oneplus|motorola|moto"
    "|nokia|htc|lg|sony|xperia"
    "|pixel|blackberry|windows|outlook|yahoo|gmail|mobile|cell|móvil|movil|phone|smartphone|celular|tablet"
    "|handy|mobil|telefon"
    "|teléfono|telefono|mobiel|mobilny|aol|proton|protonmail|mailbox|thunderbird|spark|airmail|acompli|nine"
    "|bluemail|mailbird|zoho"
    "|hotmail|webmail|device|dispositivo|gerät|appareil|mac|macbook|palm|treo|tmobile|t-mobile"
    "|verizon|at&t|honor"
    "|компьютера|телефона|почты|айфона|мобильной|смартфона|устройства|手机|網易|网易|邮箱|qq|canary|superhuman|front"
    "|missive|hey|yandex"
    "|mail.ru|rocketmail|web.de|gmx|polymail|newton|cloudmagic|typeapp|zimbra|tutanota|fastmail|samsunga|iphonea"
    "|iphona|iphonu"
)

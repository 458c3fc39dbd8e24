"""The words of the operator's letters: for each language {kind: (subject, text)}, and the months.

Texts only. What stands in braces is filled in by `letters`; the shorter entries are lines within a letter.
"""

from __future__ import annotations

MONTHS: dict[str, tuple[str, ...]] = {
    "nb": (
        "januar", "februar", "mars", "april", "mai", "juni", "juli", "august", "september", "oktober", "november",
        "desember",
    ),
    "de": (
        "Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November",
        "Dezember",
    ),
    "en": (
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
        "December",
    ),
}  # fmt: skip

_NB = {
    "invitation": (
        "Sett opp utbetaling av ladeinntektene deres innen {deadline}",
        """
Hei {name},

ladestasjonene deres flyttes til vår nye plattform. Fra da av går det sjåførene betaler, rett til en konto dere selv har
hos betalingspartneren Stripe. Kontoen er opprettet; det som mangler, er opplysningene deres.

Slik gjør dere:

1. Åpne {link}
   Lenken virker én gang og bare i noen minutter. Er den utløpt, får dere en ny her: {portal}
2. Fyll inn opplysninger om selskapet, bankkontoen og personen som signerer. Den som signerer, må stå i
   Brønnøysundregistrene eller et tilsvarende register, eller få en fullmakt bekreftet av noen som gjør det.
3. Dere kan avbryte når som helst. Det dere har fylt inn, blir tatt vare på.

Vær ferdig innen {deadline}. Lading virker uansett, men betaling fra sjåførene venter til kontoen er klar.

Vennlig hilsen
{seller}
""",
    ),
    "reminder": (
        "Påminnelse: kontoen deres er ikke klar, fristen er {deadline}",
        """
Hei {name},

kontoen deres hos Stripe kan ennå ikke ta imot betaling fra sjåfører. {lacking}

Fortsett der dere slapp: {portal}

Fristen er {deadline}. Det sjåførene lader for etter det, blir stående ubetalt til kontoen er klar.

Vennlig hilsen
{seller}
""",
    ),
    "lacking": ("", "Dette mangler: {due}."),
    "notice": (
        "Ladestasjonene deres flyttes {day}",
        """
Hei {name},

den {day} flytter vi ladestasjonene på {sites} til den nye plattformen. Stasjonene er borte i noen minutter hver; pågående
ladinger avsluttes eller følger med.

{replaces}Fra {day} gjelder dette for abonnementet deres:

- Dere får fakturaene fra {payee}, ikke lenger fra {old}.
- Betal dem til konto {iban}.
- Vilkårene i versjon {terms} gjelder.
- Det dere har betalt {old} for dager etter flyttingen, trekkes fra på den første fakturaen fra {payee}.

Fakturaer som dere har fått fra {old}, betaler dere som det står på dem.

Er kontoen for ladeinntektene ikke satt opp ennå, gjør dere det her: {link}

Vennlig hilsen
{payee}
""",
    ),
    "replaces": ("", "Dette varselet erstatter det vi sendte om {earlier}."),
    "void": (
        "Flyttingen {day} blir ikke noe av da",
        """
Hei {name},

vi skrev at ladestasjonene på {sites} flyttes {day}. Det gjelder ikke lenger: den dagen skjer det ingenting, og alt er som
før. Dere får et nytt varsel når den nye dagen er nær.

Vennlig hilsen
{payee}
""",
    ),
    "driver": (
        "Ladestasjonene på {sites} oppdateres {day}",
        """
Hei,

den {day} flyttes ladestasjonene på {sites} til et nytt system. Hver stasjon er utilgjengelig en kort stund den dagen.
Ladebrikken og appen deres virker som før, og prisene er de samme.

{replaces}Vennlig hilsen
{payee}
""",
    ),
    "driver-replaces": ("", "Dette varselet erstatter det om {earlier}."),
    "incomplete": (
        "Oppsettet på den nye plattformen er ikke komplett",
        """
Hei {name},

før flyttingen har vi sammenlignet den gamle og den nye plattformen. Dette stemmer ikke ennå:

{lines}

Rett det opp, eller svar på denne meldingen. Vi ser etter hver dag til alt stemmer.

Vennlig hilsen
{payee}
""",
    ),
    "user": ("", "- Brikke {token}: gruppe og status skal være {expected}, er {found}"),
    "price": ("", "- Sted {site}: prisen {tariff}, versjon {version}, mangler eller er en annen"),
    "none": ("", "ingen"),
}

_DE = {
    "invitation": (
        "Bitte richten Sie die Auszahlung Ihrer Ladeerlöse bis {deadline} ein",
        """
Guten Tag {name},

Ihre Ladestationen ziehen auf unsere neue Plattform um. Was Fahrerinnen und Fahrer bezahlen, geht dann unmittelbar auf ein
Konto, das Sie selbst beim Zahlungsdienst Stripe haben. Das Konto ist angelegt; es fehlen noch Ihre Angaben.

So geht es:

1. Öffnen Sie {link}
   Der Link gilt einmal und nur wenige Minuten. Ist er abgelaufen, bekommen Sie hier einen neuen: {portal}
2. Tragen Sie die Angaben zur Firma, zum Bankkonto und zur unterzeichnenden Person ein. Wer unterzeichnet, muss im
   Handelsregister stehen, oder jemand, der dort steht, muss die Vollmacht bestätigen.
3. Sie können jederzeit unterbrechen. Was Sie eingetragen haben, bleibt erhalten.

Bitte seien Sie bis {deadline} fertig. Geladen werden kann in jedem Fall; die Zahlungen warten, bis das Konto bereit ist.

Mit freundlichen Grüßen
{seller}
""",
    ),
    "reminder": (
        "Erinnerung: Ihr Konto ist noch nicht bereit, die Frist ist der {deadline}",
        """
Guten Tag {name},

Ihr Konto bei Stripe kann noch keine Zahlungen annehmen. {lacking}

Hier geht es weiter, wo Sie aufgehört haben: {portal}

Die Frist ist der {deadline}. Was danach geladen wird, bleibt unbezahlt, bis das Konto bereit ist.

Mit freundlichen Grüßen
{seller}
""",
    ),
    "lacking": ("", "Es fehlt noch: {due}."),
    "notice": (
        "Ihre Ladestationen ziehen am {day} um",
        """
Guten Tag {name},

am {day} ziehen die Ladestationen an {sites} auf die neue Plattform um. Jede Station ist dabei einige Minuten nicht
erreichbar; laufende Ladevorgänge werden beendet oder mitgenommen.

{replaces}Ab dem {day} gilt für Ihr Abonnement:

- Die Rechnungen kommen von {payee} und nicht mehr von {old}.
- Bitte zahlen Sie sie auf das Konto {iban}.
- Es gelten die Bedingungen in der Fassung {terms}.
- Was Sie {old} für Tage nach dem Umzug schon bezahlt haben, wird auf der ersten Rechnung von {payee} abgezogen.

Rechnungen, die Sie von {old} bekommen haben, zahlen Sie bitte so, wie es darauf steht.

Ist das Konto für Ihre Ladeerlöse noch nicht eingerichtet, holen Sie das bitte hier nach: {link}

Mit freundlichen Grüßen
{payee}
""",
    ),
    "replaces": ("", "Diese Mitteilung ersetzt die zum {earlier}."),
    "void": (
        "Der Umzug am {day} findet nicht statt",
        """
Guten Tag {name},

wir hatten geschrieben, dass die Ladestationen an {sites} am {day} umziehen. Das gilt nicht mehr: an diesem Tag geschieht
nichts, und alles bleibt vorerst, wie es ist. Rechtzeitig vor dem neuen Tag bekommen Sie eine neue Mitteilung.

Mit freundlichen Grüßen
{payee}
""",
    ),
    "driver": (
        "Die Ladestationen an {sites} werden am {day} umgestellt",
        """
Guten Tag,

am {day} werden die Ladestationen an {sites} auf ein neues System umgestellt. Jede Station ist an diesem Tag für kurze
Zeit nicht verfügbar. Ihre Ladekarte und die App funktionieren wie bisher, und die Preise bleiben gleich.

{replaces}Mit freundlichen Grüßen
{payee}
""",
    ),
    "driver-replaces": ("", "Diese Mitteilung ersetzt die zum {earlier}."),
    "incomplete": (
        "Ihre Einrichtung auf der neuen Plattform ist unvollständig",
        """
Guten Tag {name},

vor dem Umzug haben wir die alte und die neue Plattform verglichen. Das stimmt noch nicht überein:

{lines}

Bitte ergänzen Sie es oder antworten Sie auf diese Nachricht. Wir sehen jeden Tag nach, bis alles stimmt.

Mit freundlichen Grüßen
{payee}
""",
    ),
    "user": ("", "- Karte {token}: Gruppe und Status sollen {expected} sein, sind {found}"),
    "price": ("", "- Standort {site}: der Preis {tariff}, Fassung {version}, fehlt oder ist ein anderer"),
    "none": ("", "keine"),
}

_EN = {
    "invitation": (
        "Please set up payouts of your charging revenue by {deadline}",
        """
Dear {name},

your charging stations are moving to our new platform. What drivers pay will then go straight to an account of your own
with the payment provider Stripe. The account has been opened; your details are still missing.

This is what to do:

1. Open {link}
   The link works once and for a few minutes only. If it has expired, get another one here: {portal}
2. Fill in the details of the company, its bank account and the person who signs. Whoever signs must be in the company
   register, or somebody who is must confirm the authority.
3. You can stop at any time. What you have filled in is kept.

Please be done by {deadline}. Charging works in any case, but drivers' payments wait until the account is ready.

Kind regards
{seller}
""",
    ),
    "reminder": (
        "Reminder: your account is not ready, the deadline is {deadline}",
        """
Dear {name},

your account with Stripe cannot take payments yet. {lacking}

Go on where you stopped: {portal}

The deadline is {deadline}. What drivers charge after that remains unpaid until the account is ready.

Kind regards
{seller}
""",
    ),
    "lacking": ("", "This is missing: {due}."),
    "notice": (
        "Your charging stations move on {day}",
        """
Dear {name},

on {day} we move the charging stations at {sites} to the new platform. Each station is out of reach for some minutes;
charging that is under way is ended or carried along.

{replaces}From {day} this holds for your subscription:

- Invoices come from {payee}, no longer from {old}.
- Please pay them to the account {iban}.
- The terms in version {terms} are in force.
- What you have paid to {old} for days after the move is taken off the first invoice of {payee}.

Please pay invoices that you received from {old} as stated on them.

If the account for your charging revenue is not set up yet, please do so here: {link}

Kind regards
{payee}
""",
    ),
    "replaces": ("", "This notice replaces the one about {earlier}."),
    "void": (
        "The move on {day} does not take place",
        """
Dear {name},

we wrote that the charging stations at {sites} move on {day}. That does not hold any more: nothing happens on that day, and
all stays as it is. You will get a new notice in good time before the new day.

Kind regards
{payee}
""",
    ),
    "driver": (
        "The charging stations at {sites} are updated on {day}",
        """
Hello,

on {day} the charging stations at {sites} move to a new system. Each station is unavailable for a short while that day.
Your charging card and the app work as before, and prices stay the same.

{replaces}Kind regards
{payee}
""",
    ),
    "driver-replaces": ("", "This notice replaces the one about {earlier}."),
    "incomplete": (
        "Your set-up on the new platform is incomplete",
        """
Dear {name},

before the move we compared the old and the new platform. This does not agree yet:

{lines}

Please complete it, or reply to this message. We look every day until everything agrees.

Kind regards
{payee}
""",
    ),
    "user": ("", "- Card {token}: group and status should be {expected}, are {found}"),
    "price": ("", "- Site {site}: the price {tariff}, version {version}, is missing or another one"),
    "none": ("", "none"),
}

TEXTS: dict[str, dict[str, tuple[str, str]]] = {"nb": _NB, "de": _DE, "en": _EN}

"""The say-do guard: an agent that announces a transfer has to call the tool.

    QUIET --announces it--> OWED --calls a tool--> QUIET
                             |
                             +-- the response ends without a tool call --> the agent is asked, once

What the agent is asked depends on what it said:

    "transfer"   the sentence names a human or a destination: the agent has to call the tool
    "unclear"    the sentence names nobody: the agent is reminded of the tool, and decides

Offers, questions, conditions, negations and reports of the past announce nothing. A sentence that
connects something other than the caller announces nothing either. English, German, French and
Spanish are known. How often the guard is right is measured in `tests/core/test_announcements.py`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Literal

import msgspec

AnnouncementKind = Literal["transfer", "unclear"]

_SENTENCE = re.compile(r"[^.!?;\n]*[.!?;\n]?")

_NOT_A_HUMAN = re.compile(
    r"\b(?:to|into|with|mit|in|an|auf|à|au|aux|sur|vers|avec|a|al|con|en) (?:[\w'-]+ ){0,3}?"
    r"(?:wi-?fi|wlan|network|netzwerk|réseau|red|internet|web ?site|page|link|account|app|form|list"
    r"|liste|portal|server|system|konto|compte|cuenta|(?:web|internet)?seite|site|página|enlace)\b"
)
"""Where "connecting you" leads when the caller's device is meant, and not the caller."""


class _Language(msgspec.Struct, frozen=True):
    """How one language announces. Patterns over what `_plain` returns.

    Before `says` is searched, each of the `humans` and the destinations is replaced by WHO. A
    condition `before` or `after` an announcement makes it an offer. What follows `aside` (a
    relative clause) is not searched for conditions.
    """

    says: tuple[str, ...]
    humans: str
    before: str
    after: str
    aside: str


# --- English ----------------------------------------------------------------------------------

_EN_WORDS = (
    r"(?:(?!(?:not|never|can|could|would|should|may|might|if|whether|when|once|before|ask|tell"
    r"|explain|see|check|let|know|how|who|they|he|she|like|want|wanted|tried|unable|won't|don't"
    r"|can't|cannot|didn't)\b)[\w'-]+,? ){0,5}?"
)
_EN_END = (
    r"(?=$| ?[,.!;:)\u2013\u2014-]| (?:now|right|straight|directly|immediately|shortly"
    r"|momentarily|quickly|to|with|over|through|in|on|up|across|back|and|so|please|then|as|at"
    r"|here|there|today|because|just|while|via)\b)"
)
_EN_FRAMES = (
    r"(?:\b(?:i'm|i am|we're|we are|i'll|i will|we'll|we will|i shall|let me|let us|let's|allow me"
    r" to|permit me to|i need to|i have to|and will|and i|while i|whilst i|as i|while we) "
    + _EN_WORDS
    + r"|(?:^|[^\w' ] ?|\b(?:now|okay|ok|alright|sure|and|so|then|am|great|perfect|moment|second"
    r"|please|yes) )(?!bring\b)(?=[a-z]+ing\b)|\bi (?:now |just |then )?)"
)
_EN_STRONG = (
    r"(?:connect|transfer|transferr|redirect|reroute|rerout|patch|rout|route|forward)(?:ing)?\b"
    r" (?:you|(?:your|the|this) call)|(?:put|putt|patch|pass|pop|popp)(?:ing)? (?:you|(?:your|the"
    r"|this) call) (?:straight |right |directly |over )?through"
    r"|(?:hand|pass|turn|switch)(?:ing)? (?:you|(?:your|the|this) call|the conversation)"
    r" (?:right |straight )?(?:over|off|along|on)|(?:get|gett)(?:ing)? you (?:connected"
    r"|transferred|put through|through)"
)
_EN_TOWARDS = (
    r"(?:(?:right|straight|directly|over|on|along|across|through|now|off|back|up|quickly|in touch"
    r"|in contact|in) ){0,3}(?:to|with|onto) (?:[\w'-]+ ){0,5}?WHO"
)
_EN_GET = r"(?:get|gett|bring|grab|grabb|fetch|find|have|add|loop|put|putt)(?:ing)? (?:in )?"
_EN_SOON = r"(?:(?:now|just|also|then|shortly|right|soon|gladly|be|going to|about to) ){0,3}"

_ENGLISH = _Language(
    says=(
        _EN_FRAMES + rf"(?:{_EN_STRONG}){_EN_END}",
        _EN_FRAMES
        + r"(?:get|gett|send|pass|put|putt|bring|switch|move|mov|hand|direct|refer|turn|tak|take"
        + r"|pop|popp|pull|giv|give|leav|leave|escalat|escalate)"
        + r"(?:ing)? (?:you|your call|the call|this call|the conversation|things) "
        + _EN_TOWARDS,
        _EN_FRAMES + r"hand(?:ing)? over to (?:[\w'-]+ ){0,5}?WHO",
        _EN_FRAMES + r"(?:let|have) you (?:speak|talk) (?:to|with) (?:[\w'-]+ ){0,5}?WHO",
        r"(?:^|[,:\u2013\u2014-] ?)(?:now )?(?:connecting|transferring)(?: now| over)?(?="
        r" ?[,.!]?$)",
        # Somebody is brought to the caller.
        _EN_FRAMES
        + _EN_GET
        + r"(?:[\w'-]+ ){0,5}?WHO(?!')(?: [\w'-]+){0,4}? (?:on|onto|to|into|in|over)"
        + r"(?: (?:the|this|our|your))? (?:line|phone|telephone|call|conversation)\b",
        _EN_FRAMES
        + _EN_GET
        + r"(?:you )?(?:[\w'-]+ ){0,3}?WHO (?:for you|to help you|to take over|to talk to you)\b",
        _EN_FRAMES + r"(?:get|gett|find)(?:ing)? you (?:[\w'-]+ ){0,4}?WHO",
        _EN_FRAMES + r"(?:bring|loop)(?:ing)? in (?:[\w'-]+ ){0,4}?WHO",
        _EN_FRAMES
        + r"(?:have|hav|ask)(?:ing)? (?:[\w'-]+ ){0,4}?WHO (?:to )?(?:join|take over|jump in"
        r"|pick up)",
        # In the passive voice.
        r"\b(?:you(?:'ll| will|'re| are)|(?:your|the|this) call (?:is|will)) "
        + r"(?:(?:now|just|then|be|being|going to|about to|shortly|soon|directly|automatically) )"
        + r"{1,4}(?:connected|transferred|redirected|forwarded|routed|handed over|put through"
        + rf"|passed on|passed over|patched through){_EN_END}",
        r"\byou(?:'ll| will) (?:now |then )?be (?:speaking|talking) (?:to|with) (?:[\w'-]+ ){0,4}?"
        + r"WHO",
        # With the human as the subject.
        r"(?<!no )(?<!none of my )\bWHO(?: [\w'-]+){0,4}?(?: will|'ll| is| are| is going to) "
        + _EN_SOON
        + r"(?:with you|on the line|take over|taking over|take it from here|taking it from here"
        + r"|take your call|taking your call|pick up|picking up|join us|joining us|join the call"
        + r"|joining the call|come on the line|come to the phone|coming to the phone)\b",
    ),
    humans=(
        r"colleagues?|co-?workers?|teammates?|someone|somebody|persons?|people|humans?|teams?"
        r"|departments?|agents?|representatives?|reps?|managers?|supervisors?|specialists?"
        r"|experts?|advis[eo]rs?|operators?|receptionists?|employees?|staff|technicians?|engineers?"
        r"|consultants?|clerks?|associates?|boss|owner|attendants?|reception|front desk|help ?desk"
        r"|service desk|sales|support|customer (?:service|care)|accounting|mr|mrs|ms|dr"
        r"|(?<=to )(?:him|her|them)|(?<=with )(?:him|her|them)"
    ),
    before=(
        r"\b(?:if|unless|once|when|whenever|until|till|before|as soon as|after|whether|in case"
        r"|provided|should you|would you|do you want|instead of|rather than|just say|say the word"
        r"|tell me|let me know|give me your)\b|\b(?:can|could|may|shall|should|do|did|might|would"
        r"|that|me to|(?:don't|not) (?:think|believe)) $"
    ),
    after=(
        r"\b(?:if|unless|once|when|whenever|until|as soon as(?! possible)|in case|provided"
        r"|after (?:you|we|that|this|i)|before (?:you|we|that)|later|tomorrow|next week|on (?:mon"
        r"|tues|wednes|thurs|fri|satur|sun)day)\b"
    ),
    aside=r"\b(?:who|so|because|whose)\b",
)

# --- German -----------------------------------------------------------------------------------

# A lower-case "sie" in text that has capitals is "it" or "them": see `_plain`.
_DE_YOU = r"(?:sie|dich|euch)\b"
_DE_CALL = r"(?:(?:ihren|deinen|den|diesen) anruf|das gespräch|ihr gespräch)"
_DE_WORDS = r"(?:(?!(?:nicht|nie|niemals|kein\w*|ohne)\b)[\w'-]+ ){0,9}?"
_DE_NOT = r"(?! (?:[\w'-]+ ){0,3}?(?:nicht|nie|niemals|keinesfalls)\b)"
_DE_INFINITIVE = (
    r"(?:verbinden|weiterverbinden|durchstellen|weiterleiten|übergeben|weitergeben|weiterreichen"
    r"|vermitteln)\b"
)
_DE_DONE = r"(?:verbunden|weiterverbunden|durchgestellt|weitergeleitet|übergeben|weitergegeben)\b"
_DE_SOON = r"(?:(?:jetzt|gleich|sofort|nun|dann|direkt|gern|gerne|mal|kurz|schnell|hier|in kürze) )"

_GERMAN = _Language(
    says=(
        rf"\bverbinde (?:ich )?(?:{_DE_YOU}|{_DE_CALL}){_DE_NOT}",
        rf"\b(?:wir verbinden|verbinden wir|transferiere|transferiere ich) (?:{_DE_YOU}"
        rf"|{_DE_CALL}){_DE_NOT}",
        rf"\bich verbinde(?= {_DE_SOON}*(?:mit (?:[\w-]+ ){{0,4}}?WHO|weiter\b))",
        r"\bich verbinde(?: (?:jetzt|gleich|sofort|gern|gerne|direkt|mal|nun|kurz))*(?=$|[,.!;])",
        rf"\b(?:stelle (?:ich )?|wir stellen |stellen wir )(?:{_DE_YOU}|{_DE_CALL}) {_DE_WORDS}"
        r"durch\b",
        rf"\bich stelle {_DE_SOON}*durch\b",
        rf"\b(?:leite (?:ich )?|wir leiten |leiten wir |gebe (?:ich )?|reiche (?:ich )?)"
        rf"(?:{_DE_YOU}|{_DE_CALL}) {_DE_WORDS}(?:weiter|um|ab)\b",
        rf"\b(?:leite|gebe|schicke) (?:ich )?(?:{_DE_YOU}|{_DE_CALL}) {_DE_WORDS}(?:an|zu|zum|zur) "
        r"(?:[\w-]+ ){0,4}?WHO",
        rf"\b(?:übergebe|vermittle) (?:ich )?(?:{_DE_YOU}|{_DE_CALL}){_DE_NOT}",
        r"\bich übergebe (?:[\w-]+ )?an (?:[\w-]+ ){0,4}?WHO",
        rf"\bbringe (?:ich )?{_DE_YOU} {_DE_WORDS}(?:mit|zu|zum|zur) (?:[\w-]+ ){{0,4}}?WHO",
        r"\b(?:werde (?:ich )?|wir werden |werden wir |ich muss |muss ich |(?:lassen sie|lass)"
        rf" mich )(?:[\w-]+ )?(?:{_DE_YOU}|{_DE_CALL}) {_DE_WORDS}{_DE_INFINITIVE}",
        rf"\bwährend (?:ich|wir) (?:{_DE_YOU}|{_DE_CALL}) {_DE_WORDS}"
        r"(?:verbinden?|durchstellen?|weiterleiten?|weiterverbinden?)\b",
        rf"\b(?:(?:sie|du|ihr anruf|dein anruf|der anruf|das gespräch) (?:werden|wirst|wird)"
        r"|(?:werden|wirst|wird) (?:sie|du|ihr anruf|dein anruf|der anruf|das gespräch)) "
        rf"{_DE_WORDS}{_DE_DONE}",
        # Somebody is brought to the caller.
        r"\b(?:hole|schalte|rufe|ziehe) (?:ich )?(?:ihnen |dir )?(?:[\w-]+ ){0,4}?WHO (?:[\w-]+"
        r" ){0,4}?(?:ans telefon|ans gerät|an den apparat|in die leitung|ins gespräch|in das"
        r" gespräch|dazu|hinzu|zu|ran|für (?:sie|dich))\b",
        rf"\b(?:gebe|reiche) (?:ich )?(?:ihnen|dir) {_DE_SOON}*(?:einen|eine|meinen|meine|unseren"
        r"|unsere) (?:[\w-]+ )?WHO(?= ?[,.!]| ?$| ans? )",
        r"\b(?:ich werde|werde ich|ich muss) (?:[\w-]+ ){0,5}?WHO (?:[\w-]+ )?(?:ans telefon"
        r" holen|in die leitung holen|dazuholen|hinzuholen|dazuschalten|zuschalten|hinzuziehen)\b",
        rf"\b(?:sie sprechen|du sprichst|sprechen sie|sprichst du) {_DE_SOON}+mit (?:[\w-]+"
        rf" ){{0,4}}?WHO",
        # With the human as the subject.
        rf"\bWHO (?:[\w-]+ ){{0,3}}?übernimmt(?= {_DE_SOON}*(?:jetzt|gleich|sofort|nun|hier"
        rf"|dann|das gespräch|(?:den|ihren|deinen) anruf|für (?:sie|dich))\b|[,.!]|$)",
        rf"\bWHO (?:[\w-]+ ){{0,3}}?ist {_DE_SOON}+(?:für (?:sie|dich) da|bei (?:ihnen|dir)"
        r"|am apparat|am telefon|in der leitung)\b",
        rf"\bWHO (?:[\w-]+ ){{0,3}}?(?:nimmt {_DE_SOON}*(?:ihren|deinen|den) anruf|kommt "
        rf"{_DE_SOON}*(?:ans telefon|in die leitung))\b",
    ),
    humans=(
        r"[\w-]*(?:kolleg(?:e|en|in|innen)|mitarbeiter(?:in|innen|n)?|mensch(?:en)?|team|abteilung"
        r"|buchhaltung|kundendienst|kundenservice|kundenbetreuung|vertrieb|support|zentrale|empfang"
        r"|rezeption|berater(?:in|innen|n)?|bearbeiter(?:in|n)?|ansprechpartner(?:in|n)?"
        r"|vorgesetzte[nr]?|chef(?:in)?|leiter(?:in)?|expert(?:e|en|in)|spezialist(?:en|in)?"
        r"|techniker(?:in|n)?|werkstatt|verkauf|verkäufer(?:in)?|verwaltung|sekretariat|service)"
        r"|jemand(?:em|en)?|person|agent(?:en|in)?|herrn?|frau"
    ),
    before=(
        r"\b(?:wenn|falls|sobald|sofern|bevor|ehe|nachdem|ob|damit|dass|soll|sollte|sollen|möchten"
        r"|möchtest|wollen|könnte|würde|anstatt|statt|sagen sie|sag|nennen sie|nenn|geben sie mir"
        r"|gib mir)\b"
    ),
    after=(
        r"\b(?:wenn|falls|sobald|sofern|bevor|nachdem|morgen|später|nächste woche"
        r"|am (?:mon|diens|donners|frei|sams|sonn)tag|am mittwoch)\b"
    ),
    aside=r", (?:der|die|das|dem|den|damit)\b",
)

# --- French -----------------------------------------------------------------------------------

_FR_YOU = r"(?:vous|te|t')"
_FR_CALL = r"(?:votre|ton|l'|cet) ?appel"
_FR_SOON = (
    r"(?:(?:donc|maintenant|tout de suite|immédiatement|directement|de suite|alors|rapidement"
    r"|simplement|sans attendre|sans plus attendre|à présent|dès maintenant|bien|justement) )"
)
_FR_END = (
    r"(?=$| ?[,.!;:)\u2013\u2014]| (?:à|au|aux|vers|avec|chez|sur|maintenant|tout|immédiatement"
    r"|directement|de suite|dans|sans|et|donc|dès|auprès|un instant|ne quittez)\b)"
)
_FR_VERB = r"(?:transf[èe]re|redirige|connecte|bascule)"
_FR_INFINITIVE = r"(?:transférer|rediriger|connecter|basculer)"
_FR_LINK = rf" {_FR_SOON}*en (?:relation|communication|contact|ligne)\b"
_FR_SOMEBODY = rf" {_FR_SOON}*(?:à |avec )?(?:(?!message|commande|mot|détail)[\w'-]+ ){{0,3}}?WHO"
_FR_SHALL = (
    r"(?:(?:je vais|nous allons|on va|laissez[- ]moi|laisse[- ]moi|permettez[- ]moi de"
    r"|permets[- ]moi de|je m'occupe de|je suis en train de|le temps de|je dois)"
    rf" {_FR_SOON}*)"
)
_FR_WHO_IS_IT = r"(?:vous|tu|(?:votre|ton) appel)"

_FRENCH = _Language(
    says=(
        rf"\b(?:je|nous|et|on) {_FR_YOU} ?(?:mets|mettons|met|mettrai){_FR_LINK}",
        rf"\ble temps (?:que|qu') ?(?:je|nous|on) {_FR_YOU} ?(?:mette|mettions){_FR_LINK}",
        rf"\b(?:je|nous|et|on) {_FR_YOU} ?(?:{_FR_VERB}|transférons|transférerai|redirigeons)"
        rf"{_FR_END}",
        rf"\b(?:je|et|on) {_FR_YOU} ?(?:passe|envoie vers|oriente vers|dirige vers|renvoie vers)"
        rf"{_FR_SOMEBODY}",
        r"\b(?:je|on) (?:vous|te) passe(?= ?(?:$|[,.!;])| (?:tout de suite|maintenant"
        r"|immédiatement|de suite) ?(?:$|[,.!;]))",
        rf"\b{_FR_SHALL}{_FR_YOU} ?mettre{_FR_LINK}",
        rf"\b{_FR_SHALL}{_FR_YOU} ?{_FR_INFINITIVE}{_FR_END}",
        rf"\b{_FR_SHALL}{_FR_YOU} ?(?:passer|orienter vers|diriger vers){_FR_SOMEBODY}",
        rf"\b(?:(?:je|nous) (?:{_FR_VERB}|passe|transférons)|{_FR_SHALL}(?:{_FR_INFINITIVE}"
        rf"|passer)) {_FR_SOON}*{_FR_CALL}\b",
        rf"\b{_FR_WHO_IS_IT} (?:allez être|vas être|va être|serez|seras|sera|est|êtes en train"
        rf" d'être) {_FR_SOON}*(?:mise?s?{_FR_LINK}|(?:transféré|redirigé)e?s?\b|connectée?s?"
        rf" avec\b)",
        rf"\b(?:vous êtes|tu es) {_FR_SOON}*mise?s?{_FR_LINK}",
        rf"\b(?:{_FR_WHO_IS_IT} (?:êtes|es|est) (?:actuellement )?en cours de transfert"
        r"|transfert (?:de (?:votre|l') ?appel )?en cours|(?:j'effectue|je procède à|je lance|je"
        r" procède au|je fais) ?(?:le )?transfert)\b",
        r"\bje (?:passe|cède|laisse|donne) (?:donc )?la main (?:à|au|aux) (?:[\w'-]+ ){0,3}?WHO",
        r"\bje (?:vous|te) (?:laisse|confie) (?:donc )?(?:avec|à|au|aux|entre les mains d)"
        r"(?:['e]* )?(?:[\w'-]+ ){0,3}?WHO",
        r"\b(?:vous allez|tu vas) (?:maintenant )?(?:parler|échanger|discuter) (?:à|avec) "
        r"(?:[\w'-]+ ){0,3}?WHO",
        # Somebody is brought to the caller.
        r"\bje (?:vais (?:vous )?chercher|fais venir) (?:[\w'-]+ ){0,3}?WHO",
        # With the human as the subject.
        r"\bWHO(?! ne\b)(?: [\w'-]+){0,5}? (?:va|vont) (?:bientôt |maintenant |tout de suite )?"
        r"(?:prendre le relais|prendre la suite|prendre votre appel|vous répondre|vous rejoindre"
        r"|vous prendre en (?:charge|ligne))\b",
        r"\bWHO(?! ne\b)(?: [\w'-]+){0,5}? (?:(?:prend|prendra) (?:le relais|la suite|votre"
        r" appel)|arrive en ligne|(?:sera|est) avec vous|vous prend en (?:ligne|charge)"
        r"|vous répond(?:ra)? (?:tout de suite|dans (?:un|quelques) \w+))\b",
    ),
    humans=(
        r"collègues?|conseill(?:er|ère)s?|agente?s?|personnes?|quelqu'un|humaine?s?|équipes?"
        r"|services?|départements?|responsables?|opérat(?:eur|rice)s?|spécialistes?|expert(?:e|s)?"
        r"|technicien(?:ne)?s?|superviseure?s?|gérante?|chef|cheffe|patronne?|réception|accueil"
        r"|comptabilité|standard|interlocut(?:eur|rice)|représentante?s?|commercial(?:e|aux)?"
        r"|assistante?|direct(?:eur|rice)|managers?|support|monsieur|madame"
    ),
    before=(
        r"\b(?:si|s'ils?(?! vous pla)|dès qu|lorsqu|quand(?! même)|avant|après(?!-)|une fois|à"
        r" moins|au cas où|souhaitez|souhaites|voulez|voudriez|veux-tu|est-ce que|au lieu|dites"
        r"|dis-|donnez|donne-moi|faudrait|(?<!pendant )(?<!temps )(?<!tandis )(?<!parce )que $)"
    ),
    after=(
        r"\b(?:si|s'ils?(?! vous pla)|dès qu|lorsqu|quand(?! même)|après(?!-)|une fois|demain"
        r"|plus tard|la semaine prochaine|lundi|mardi|mercredi|jeudi|vendredi|par (?:e-?)?mail|par"
        r" courriel)\b"
    ),
    aside=r"\b(?:qui|afin|pour|car)\b",
)

# --- Spanish ----------------------------------------------------------------------------------

_ES_YOU = r"(?<!no )(?<!se )(?<!nunca )(?<!jamás )(?<!tampoco )\b(?:le|lo|la|te|os|les|los|las) "
_ES_CALL = r"(?:su|tu|la|esta) llamada"
_ES_SOON = (
    r"(?:(?:ahora mismo|ahora|ya|enseguida|en seguida|inmediatamente|de inmediato|directamente"
    r"|entonces|mismo) )"
)
_ES_END = (
    r"(?=$|[,.!;:)\u2013\u2014]| (?:con|a|al|ahora|ya|enseguida|en seguida|inmediatamente|de"
    r" inmediato|directamente|hacia|por favor|y|en un|en unos|para que|sin|un momento|(?:su|tu|la)"
    r" llamada)\b)"
)
_ES_NOW = (
    r"(?=(?: (?:ahora|ya|enseguida|en seguida|inmediatamente|de inmediato|directamente|mismo"
    r"|por favor))*(?:$|[,.!;]))"
)
_ES_SOMEBODY = (
    rf" {_ES_SOON}*(?:con|(?:a|al) (?:[\w'-]+ ){{0,3}}?WHO|al habla con|(?:su|tu|la) llamada)\b"
)
_ES_PUT = (
    rf" {_ES_SOON}*(?:(?:en contacto|en comunicación|al habla|al teléfono|en línea) con\b"
    r"|con (?:[\w'-]+ ){0,3}?WHO)"
)
_ES_SHALL = (
    r"(?<!no )\b(?:voy a|vamos a|permítame|permíteme|déjeme|déjame|procedo a|paso a|tengo que|debo)"
)
_ES_DONE = r"(?:transferid|conectad|comunicad|derivad|redirigid)[oa]s?"

_SPANISH = _Language(
    says=(
        _ES_YOU + r"(?:comunico|comunicamos|comunicaré|conecto|conectamos|conectaré|transfiero"
        rf"|transferimos|transferiré|derivo|redirijo|enlazo|canalizo){_ES_END}",
        _ES_YOU + rf"(?:paso|pasamos|pasaré)(?:{_ES_SOMEBODY}|{_ES_NOW})",
        _ES_YOU + rf"(?:pongo|ponemos|pondré){_ES_PUT}",
        rf"(?<!no )\b(?:transfiero|transferimos|paso|derivo|redirijo|conecto|desvío) {_ES_SOON}*"
        rf"{_ES_CALL}\b",
        rf"{_ES_SHALL} (?:comunicar|conectar|transferir|derivar|redirigir|enlazar|canalizar)(?:le"
        rf"|lo|la|te)s?{_ES_END}",
        rf"{_ES_SHALL} pasar(?:le|lo|la|te)s?(?:{_ES_SOMEBODY}|{_ES_NOW})",
        rf"{_ES_SHALL} poner(?:le|lo|la|te)s?{_ES_PUT}",
        rf"{_ES_SHALL} (?:transferir|pasar|derivar|redirigir|conectar) {_ES_CALL}\b",
        _ES_YOU + rf"(?:voy|vamos) a (?:comunicar|conectar|transferir|derivar|redirigir|enlazar"
        rf"|canalizar){_ES_END}",
        _ES_YOU + rf"(?:voy|vamos) a pasar(?:{_ES_SOMEBODY}|{_ES_NOW})",
        _ES_YOU + rf"(?:voy|vamos) a poner{_ES_PUT}",
        r"\b(?:permítame|permíteme|deje|deja) que (?:le|lo|la|te) (?:comunique|conecte|transfiera"
        rf"|pase con|ponga en contacto con){_ES_END}",
        _ES_YOU + r"(?:estoy|estamos) (?:[\w']+ )?(?:comunicando|conectando|transfiriendo|derivando"
        rf"){_ES_END}",
        _ES_YOU + rf"(?:estoy|estamos) (?:[\w']+ )?pasando(?:{_ES_SOMEBODY}|{_ES_NOW})",
        r"\b(?:comunicándo|conectándo|transfiriéndo|pasándo)(?:le|lo|la|te)s?" + _ES_END,
        rf"\b(?:transfiriendo|pasando|conectando) {_ES_CALL}\b",
        r"(?:^|, ?)(?:transfiriendo|conectando|comunicando)(?= ?[,.!]?$)",
        _ES_YOU + r"(?:estoy|estamos) poniendo" + _ES_PUT,
        _ES_YOU + r"dejo con (?:[\w'-]+ ){0,3}?WHO",
        r"(?<!no )\b(?:va|vas) a hablar (?:ahora )?con (?:[\w'-]+ ){0,3}?WHO",
        r"(?<!no )\b(?:será|va a ser) (?:[\w']+ )?atendid[oa] por (?:[\w'-]+ ){0,3}?WHO",
        rf"(?:^|[^\w ] ?|\b(?:usted|(?:su|tu|la) llamada|ahora|ya) )(?:será|serás|va a ser|vas a"
        rf" ser|está siendo|estás siendo) (?:[\w']+ )?{_ES_DONE}\b",
        # With the human as the subject.
        r"\bWHO(?: [\w'-]+){0,4}? (?:(?:(?:en breve|enseguida|ahora) )?(?:le|lo|la|te)"
        r" (?:atenderá|va a atender|atiende)|va a atender(?:le|lo|la|te)|(?:tomará|toma|va a"
        r" tomar) (?:su|tu|la) llamada|se (?:pondrá|pone) (?:al teléfono|en línea)|tomará el"
        r" relevo|toma el relevo|estará con usted)\b",
    ),
    humans=(
        r"compañer[oa]s?|colegas?|agentes?|asesor(?:a|es|as)?|personas?|alguien|human[oa]s?"
        r"|equipos?|departamentos?|representantes?|operador(?:a|es)?|supervisor(?:a|es)?"
        r"|encargad[oa]s?|responsables?|especialistas?|expert[oa]s?|técnic[oa]s?|gerentes?"
        r"|jef[ea]s?|recepción|ventas|soporte|atención al cliente|contabilidad|servicio"
        r"|centralita|ejecutiv[oa]s?|señora?|sra?|taller"
    ),
    before=(
        r"\b(?:si|cuando|en cuanto|una vez|antes|después|tan pronto|hasta que|a menos|quiere"
        r"|quieres|desea|deseas|gustaría|en caso|podría|dígame|dígamelo|dime|dímelo|deme|avíseme)\b"
    ),
    after=(
        r"\b(?:si|cuando|en cuanto|una vez|después de|tan pronto|a menos|mañana|más tarde|la"
        r" próxima semana|el (?:lunes|martes|miércoles|jueves|viernes))\b"
    ),
    aside=r"\b(?:que|quien|para|porque)\b",
)

_ACCENTED = {
    "a": "[aáàâä]",
    "c": "[cç]",
    "e": "[eéèêë]",
    "i": "[iíîï]",
    "n": "[nñ]",
    "o": "[oóôö]",
    "u": "[uúùûü]",
}
"""How a letter of a key may be spoken: the key `facturacion` is said "facturación"."""


class _Compiled(msgspec.Struct, frozen=True):
    says: tuple[re.Pattern[str], ...]
    humans: re.Pattern[str]
    before: re.Pattern[str]
    after: re.Pattern[str]
    aside: re.Pattern[str]


def _compile(language: _Language) -> _Compiled:
    return _Compiled(
        says=tuple(map(re.compile, language.says)),
        humans=re.compile(rf"(?<!\w)(?:{language.humans})(?!\w)"),
        before=re.compile(language.before),
        after=re.compile(language.after),
        aside=re.compile(language.aside),
    )


_COMPILED = tuple(map(_compile, (_ENGLISH, _GERMAN, _FRENCH, _SPANISH)))


@lru_cache(maxsize=256)
def _keys_pattern(destinations: frozenset[str]) -> re.Pattern[str] | None:
    """Return what finds the keys of `destinations` as they are spoken, the longest first."""
    spoken = sorted(filter(None, map(_spoken_pattern, destinations)), key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(spoken)})(?!\w)") if spoken else None


def _spoken_pattern(key: str) -> str:
    """Return a pattern for a key: `-` and `_` are blanks, and accents may be added."""
    plain = [c for c in unicodedata.normalize("NFD", key.lower()) if not unicodedata.combining(c)]
    words = re.findall(r"[^-_\s]+", "".join(plain))
    return "[ -]".join("".join(_ACCENTED.get(c, re.escape(c)) for c in word) for word in words)


def _plain(text: str) -> str:
    """Return `text` in lower case, with straight apostrophes and single blanks.

    German says "Sie" to the caller and "sie" of others. Where the text has capitals at all, the
    second becomes "sie_", so that no pattern takes it for the caller.
    """
    text = unicodedata.normalize("NFC", text).replace("\u2019", "'")
    if text != text.lower():
        text = re.sub(r"\bsie\b", "sie_", text)
    return re.sub(r"[^\S\n]+", " ", text.lower().replace("...", ",").replace("\u2026", ","))


def announcement(text: str, destinations: Iterable[str] = ()) -> AnnouncementKind | None:
    """Return whether `text` announces that the caller is being connected, and how clearly.

    "transfer": a sentence says that the caller is being connected and names a human (a colleague, a
    team, somebody) or a destination. `destinations` are the keys of the agent's hand-offs.
    "unclear": it names nobody. None: no sentence announces a connection.
    """
    plain, keys = _plain(text), _keys_pattern(frozenset(destinations))
    if keys is not None:
        plain = keys.sub("WHO", plain)
    kinds = {_sentence_kind(each.strip()) for each in _SENTENCE.findall(plain)}
    if "transfer" in kinds:
        return "transfer"
    return "unclear" if "unclear" in kinds else None


def _sentence_kind(sentence: str) -> AnnouncementKind | None:
    if sentence.endswith("?"):
        return None
    for language in _COMPILED:
        named = language.humans.sub("WHO", sentence)
        founds = (found for pattern in language.says for found in pattern.finditer(named))
        if any(_counts(found, language) for found in founds):
            return "transfer" if "WHO" in named else "unclear"
    return None


def _counts(found: re.Match[str], language: _Compiled) -> bool:
    """Return whether what was found depends on no condition and is about the caller."""
    before, after = found.string[: found.start()], found.string[found.end() :]
    if language.before.search(before) or _NOT_A_HUMAN.search(found[0]):
        return False
    if _NOT_A_HUMAN.match(after.lstrip()):
        return False
    return language.after.search(language.aside.split(after)[0]) is None


class AnnouncedAction:
    """Whether the running response has announced a transfer, and called a tool."""

    def __init__(self) -> None:
        self._text = ""
        self._done = False
        self._asked = False

    def response_started(self) -> None:
        self._text = ""
        self._done = False

    def said(self, text: str) -> None:
        self._text += text

    def called_tool(self) -> None:
        """The response called a tool."""
        self._done = True
        self._asked = False

    def owed(self, destinations: Iterable[str] = ()) -> AnnouncementKind | None:
        """Return what the response that has ended announced without calling a tool.

        `destinations` are the keys of the agent's hand-offs. After an answer other than None, the
        next one is None: an agent that does not act is not asked twice in a row.
        """
        if self._done or self._asked:
            self._asked = False
            return None
        kind = announcement(self._text, destinations)
        self._asked = kind is not None
        return kind

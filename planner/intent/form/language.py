"""Which language a request is in: by its script, and where many share one, by the small words that only one has."""

from __future__ import annotations

import re
import unicodedata

from ....tools.text import language_of as chinese_or_not

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_ENOUGH = 2

_SCRIPTS = (
    ("ja", "\u3041", "\u30ff"),
    ("ko", "\uac00", "\ud7a3"),
    ("ko", "\u1100", "\u11ff"),
    ("ru", "\u0400", "\u052f"),
    ("el", "\u0370", "\u03ff"),
    ("he", "\u0590", "\u05ff"),
    ("ar", "\u0600", "\u06ff"),
    ("hi", "\u0900", "\u097f"),
    ("th", "\u0e00", "\u0e7f"),
)
_LETTERS = (
    ("ru", "uk", "іїєґІЇЄҐ"),
    ("ar", "fa", "پچژگ"),
)

_SMALL = {
    language: frozenset(words.split())
    for language, words in {
        "en": "the is are what how why who where when which a an of to in and for my you i do does can it this that with on"
        " please me not was there have tell write give find",
        "de": "hallo danke guten morgen tag abend "
        "der die das und ist nicht ein eine einen wie was wer wo warum ich du sie wir mir mich den dem des für mit auf von"
        " bitte kannst können wann welche welcher hat haben sind zu im zum zur auch es gibt",
        "fr": "bonjour bonsoir salut merci beaucoup "
        "le la les un une des et est pas que qui quoi comment pourquoi où quand je tu il elle nous vous mon ma mes pour"
        " dans sur avec du au aux ce cette quel quelle quels quelles s'il combien peux pouvez fait",
        "es": "hola gracias buenos buenas días "
        "el la los las un una y es no que qué cómo quién dónde cuándo por para con del al mi tu su me se está son cuál"
        " cuánto cuántos puedes favor hay más en de",
        "it": "ciao grazie buongiorno "
        "il lo la gli le un una e è non che chi come dove quando perché per con del della di mi ti si sono quale quanto"
        " quanti quanta quante ha ho vorrei"
        " puoi favore più nel alla dei",
        "pt": "olá obrigado obrigada "
        "o a os as um uma e é não que quem como onde quando por para com do da dos das em no na me meu minha qual quanto"
        " quantos você pode está são mais",
        "nl": "de het een en is niet wat wie waar waarom wanneer hoe ik je jij u wij we mij mijn van voor met op te"
        " kun kan zijn hoeveel heeft welke"
        " er naar welke hebben dit dat",
        "sv": "och är inte vad vem var varför när hur jag du vi mig min en ett det den på med för kan att som av till vilken",
        "pl": "i jest nie co kto gdzie dlaczego kiedy jak ja ty my mi mój w na z do się to czy proszę ile który która jaki jaka",
        "tr": "ve bir bu ne kim nerede neden nasıl ben sen biz için ile mi mı mu mü değil var çok lütfen hangi kaç",
        "vi": "là và của không gì ai đâu tại sao khi nào như thế tôi bạn cho với có một những các ở bao nhiêu",
        "id": "dan adalah tidak apa siapa mana mengapa kapan bagaimana saya anda kamu untuk dengan dari yang ini itu berapa",
    }.items()
}
_WHOSE = {
    word: tuple(language for language, small in _SMALL.items() if word in small)
    for word in frozenset[str]().union(*_SMALL.values())
}
"""For each small word, the languages that have it."""
_MARKS = {
    "de": "äöüß",
    "fr": "éèêàçùœâîô",
    "es": "ñ¿¡áíóú",
    "it": "àèìòù",
    "pt": "ãõçáêó",
    "sv": "åäö",
    "pl": "ąćęłńóśźż",
    "tr": "ğışçö",
    "vi": "ăơưđạảấầậắằặếềệọộớờợụứừựỳ",
}


def language_of(text: str) -> str:
    """The ISO 639-1 code of the language that a text is most likely in; "en" where nothing tells.

    Chinese and English as in `tools.text`. Japanese, Korean and other scripts of their own by their letters; twelve
    languages in Latin letters by small words and accents. Texts of one or two words may be taken for a neighbour's.
    """
    if text.isascii():
        return _latin(text.lower())
    wide = unicodedata.normalize("NFKC", text)
    letters = [c for c in wide if c.isalpha()]
    if not letters:
        return "en"
    for language, first, last in _SCRIPTS:
        share = sum(first <= c <= last for c in letters) / len(letters)
        if share > (0.1 if language == "ja" else 0.3):
            return next(
                (other for of, other, own in _LETTERS if of == language and set(wide) & set(own)),
                language,
            )
    if chinese_or_not(wide) == "zh":
        return "zh"
    return _latin(wide.lower())


def _latin(text: str) -> str:
    words = _WORD.findall(text.replace("’", "'"))
    points = dict.fromkeys(_SMALL, 0.0)
    for word in words:
        for language in _WHOSE.get(word, ()):
            points[language] += 1
    if not text.isascii():
        for language, marks in _MARKS.items():
            points[language] += bool(set(text) & set(marks)) + 0.1 * sum(c in marks for c in text)
    best = max(points.values())
    if points["en"] >= best or best < min(_ENOUGH, len(words) / 2):
        return "en"
    return max(points, key=lambda language: points[language])

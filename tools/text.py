"""Words: how text is cut into comparable tokens, for retrieval and for matching what a person wrote.

Latin script is lower-cased and stemmed (Porter2, snowballstemmer); Chinese, which writes no spaces, is cut into
single characters and overlapping pairs. No model and no language pack is needed.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Literal

Language = Literal["en", "zh"]

_WORD = re.compile(r"[a-z0-9_]+(?:[.'’][a-z0-9]+)*|[\u3400-\u9fff]+")
_CJK = re.compile(r"[\u3400-\u9fff]")

STOPWORDS = frozenset(
    "a an the this that these those of in on at to for from by with and or but if then than as is are was were be been"
    " do does did has have had can could will would should may might i you he she it we they me my your his her its our us"
    " their what which who whom whose when where why how there here please tell give show say so just also about into"
    " out up any some not no yes many much more most less least fewer".split()
    + "的 了 是 在 和 与 吗 呢 吧 啊 有 我 你 他 她 它 们 这 那 哪 个 些 请 把 被 就 也 都 还 么".split()
    + "什么 多少 怎么 为什么 哪个".split()
)


def normal(text: str) -> str:
    """The text in one form: full-width to ASCII, accents dropped, lower case."""
    if text.isascii():
        return text.lower()
    wide = unicodedata.normalize("NFKC", text).replace("’", "'").lower()
    apart = unicodedata.normalize("NFD", wide)
    return unicodedata.normalize("NFC", "".join(c for c in apart if not unicodedata.combining(c)))


def language_of(text: str) -> Language:
    """Chinese where a fifth or more of the letters are Chinese characters, else English."""
    if text.isascii():
        return "en"
    letters = [c for c in text if c.isalpha()]
    return "zh" if letters and sum(bool(_CJK.match(c)) for c in letters) * 5 >= len(letters) else "en"


@lru_cache(maxsize=1)
def _stemmer():  # type: ignore[no-untyped-def]  # the stemmer library ships no types
    import snowballstemmer

    return snowballstemmer.stemmer("english")


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """The stem of one lower-case word."""
    return str(_stemmer().stemWord(word.removesuffix("'s")))


def words(text: str) -> list[str]:
    """The words of a text in order, unstemmed; a run of Chinese characters is one word."""
    return _WORD.findall(normal(text))


def tokens(text: str, *, stop: bool = True) -> list[str]:
    """Comparable tokens in order: stems of words, single characters and pairs of Chinese; stop words left out."""
    found: list[str] = []
    for word in words(text):
        if _CJK.match(word):
            found.extend(c for c in word if not (stop and c in STOPWORDS))
            pairs = (word[n : n + 2] for n in range(len(word) - 1))
            found.extend(pair for pair in pairs if not (stop and pair in STOPWORDS))
        elif not (stop and word in STOPWORDS):
            found.append(stem(word))
    return found

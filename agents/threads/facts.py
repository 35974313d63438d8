"""Facts: what users say of themselves, what they prefer, and what was decided; it is kept longest (working memory)."""

from __future__ import annotations

import re

from .sentences import asks

_BE = (
    r"(?:is|are|was|were|has|have|had|will|lives?|works?|likes?|prefers?|needs?|stud(?:y|ies)|comes?|goes|called"
    r"|starts?|ends?|costs?)"
)
_ENGLISH = re.compile(
    rf"\b(?:my|our)\b(?: [\w'’-]+){{1,4}} {_BE}\b"
    r"|\bI(?:['’](?:m|ve|ll|d)| (?:am|was|have|had|will|would|prefer|like|love|hate|dislike|enjoy|live|work|need|want|use|own"
    r"|study|speak|moved|grew|was born|can|can['’]t|cannot|don['’]t|do not|never|always|usually|only|decided|chose|plan|take"
    r"|eat|drink|drive|keep|booked|bought|ordered|met|married))\b"
    r"|\bcall me\b|\bwe(?:['’](?:re|ve|ll)| (?:decided|agreed|chose|picked|settled|will|are|have|use|moved|live))\b"
    r"|\b(?:decided|agreed|settled) (?:on|to|that)\b|\blet['’]s (?:use|go|take|call|make|keep)\b"
    r"|\b(?:from now on|remember that|please remember|keep in mind|note that|for the record|don['’]t forget)\b",
    re.IGNORECASE,
)
_CHINESE = re.compile(
    r"我叫|叫我|我是|我(?:的|家|妈|爸|太太|先生|女儿|儿子|妻子|丈夫)[^，。？]{0,16}(?:是|叫|在|有|为|住|喜欢)|我们?(?:喜欢|不喜欢|偏好|更喜欢|住|讨厌|需要|想要|从不"
    r"|总是|一般|习惯|决定|同意|约定|选|用|只|对[^，。]{1,8}过敏|在[^，。]{1,12}(?:工作|上班|上学|读书|住))|(?:请)?(?:记住|记得|别忘)|(?:以后|今后|从现在起)|就这么定"
)


def states_fact(sentence: str) -> bool:
    """Whether a user's sentence says something of them or theirs, or decides something, and does not ask."""
    return not asks(sentence) and bool(_ENGLISH.search(sentence) or _CHINESE.search(sentence))

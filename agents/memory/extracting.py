"""Extracting: what a person says of themselves or asks to be remembered, found by fixed rules, in English and Chinese.

The rules know general language only, and rather find too little: a question, a condition, or a wish for now ("I would
like …") is nothing to be remembered.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from ...tools.knowledge.passages import sentences
from .entry import Entry, Kind, Provenance, Scope, id_of

USER = "user"
"""The subject of what people say of themselves."""

_NAME = r"[A-Z][\w'’-]*(?:\s+[A-Z][\w'’-]*){0,3}"
_END = r"(?=\s*(?:[,;!?，。；！？]|\.(?:\s|$)|\s(?:and|but|so|because|now|since|by the way)\b|$))"
_REST = rf"(?P<v>[^,;!?，。；！？]+?){_END}"
_THINGS = (
    "name|first name|last name|full name|nickname|birthday|date of birth|age|e-?mail|e-?mail address|phone|phone number|"
    "number|address|home address|job|profession|occupation|title|company|employer|team|department|time ?zone|native language|"
    "language|home ?town|city|country|nationality|school|university|blood type|size|shoe size|budget|deadline|project|"
    "pronouns|hobby|car|diet"
)
_KIN = "wife|husband|partner|son|daughter|mother|father|brother|sister|boss|manager|assistant|dog|cat|friend|colleague|child"
_TIME = r"(?:(?:now|currently|really|also|still|just|always|usually|generally|absolutely|personally|very much|quite)\s+)*"


class _Rule(NamedTuple):
    """A pattern whose group `v` is a value (and `a`, if it has one, the attribute) of the user."""

    attribute: str
    pattern: re.Pattern[str]


def _rule(attribute: str, pattern: str) -> _Rule:
    return _Rule(attribute, re.compile(pattern))


_I = r"(?:^|(?<=[\s,;，]))(?i:I)"
_ENGLISH = (
    _rule(
        "name",
        rf"\b(?i:my (?:full )?name is|my name['’]s|call me|{_I} am called)\s+(?P<v>{_NAME}|[a-z'’-]+){_END}",
    ),
    _rule("home", rf"{_I} (?i:{_TIME}(?:live in|moved to|have moved to|am living in))\s+{_REST}"),
    _rule("origin", rf"{_I}(?i:(?: am|['’]m) (?:originally )?from| come from)\s+{_REST}"),
    _rule("job", rf"{_I} (?i:{_TIME}work as)\s+(?i:an?\s+)?{_REST}"),
    _rule("employer", rf"{_I} (?i:{_TIME}work (?:at|for))\s+{_REST}"),
    _rule("birth", rf"{_I} (?i:was born (?:on|in))\s+{_REST}"),
    _rule("", rf"\b(?i:my (?P<a>favou?rite [\w ]{{2,30}}?) (?:is|are))\s+{_REST}"),
    _rule("", rf"\b(?i:my (?P<a>{_THINGS}) (?:is|are))\s+{_REST}"),
    _rule("", rf"\b(?i:my (?P<a>{_KIN}))(?i:['’]s name)? (?i:is|is called)\s+(?P<v>{_NAME}){_END}"),
)
_STOP = r"(?=[，。；！？,;!?\s]|$|但|而且|所以|因为)"
_THINGS_ZH = (
    "生日|年龄|邮箱|电子邮件|电话|电话号码|手机|手机号|手机号码|地址|住址|职业|工作|公司|部门|团队|职位|母语|家乡|城市|国籍|学校|"
    "大学|血型|尺码|鞋码|预算|截止日期|项目|爱好|昵称|英文名|中文名|时区"
)
_KIN_ZH = "妻子|太太|老婆|丈夫|先生|老公|儿子|女儿|母亲|妈妈|父亲|爸爸|哥哥|弟弟|姐姐|妹妹|老板|经理|助理|狗|猫|朋友|同事|孩子"
_CHINESE = (
    _rule(
        "name",
        rf"(?:我的名字(?:叫做|叫|是)|我叫做?|请?叫我|(?:大家|别人)都?叫我)(?P<v>[^，。；！？,;!?\s]{{1,20}}?)"
        rf"(?:就好|就行|就可以了?|吧)?{_STOP}",
    ),
    _rule(
        "home", rf"我(?:现在|目前|已经)?(?:住在|搬到了?|搬去了?)(?P<v>[^，。；！？,;!?\s]+?)(?:了)?{_STOP}"
    ),
    _rule("origin", rf"我(?:来自|是从)(?P<v>[^，。；！？,;!?\s]+?)(?:来的)?{_STOP}"),
    _rule("employer", rf"我(?:现在|目前)?在(?P<v>[^，。；！？,;!?\s]+?)(?:工作|上班){_STOP}"),
    _rule("job", rf"我是一?(?:名|位)(?P<v>[^，。；！？,;!?\s]+?){_STOP}"),
    _rule("", rf"我(?P<a>最喜欢的[^，。；！？,;!?\s是]{{1,12}})是(?P<v>[^，。；！？,;!?\s]+?){_STOP}"),
    _rule("", rf"我的(?P<a>{_THINGS_ZH})(?:是|为|在)(?P<v>[^，。；！？,;!?]+?){_STOP}"),
    _rule("", rf"我的?(?P<a>{_KIN_ZH})(?:的名字)?(?:叫做?|名叫)(?P<v>[^，。；！？,;!?\s]+?){_STOP}"),
)
_PREFERS = re.compile(
    rf"{_I} (?i:{_TIME}(?:prefer|like|love|enjoy|hate|dislike|detest|do not like|don['’]t like|do not eat|don['’]t eat|"
    r"do not drink|don['’]t drink|can['’]t stand|cannot stand|am allergic to|am a vegetarian|am vegetarian|am vegan))\b"
    r"|(?i:^(?:please )?(?:from now on\b|always (?:answer|reply|respond|write|use|address|speak|show|give)\b|"
    r"never (?:answer|reply|respond|write|use|address|speak|show|give)\b))"
    r"|我(?:更|很|非常|特别|比较|最|一直|总是|也|还|都|真的|其实|就)*(?:喜欢|偏好|偏爱|热爱|爱(?:吃|喝|看|听|玩)|讨厌|不喜欢|"
    r"不爱|受不了|不吃|不喝|吃素|对[^，。]{1,12}过敏)"
    r"|^(?:请)?(?:以后|从现在起|从今以后|今后)(?:请|都|一律|总是|每次|不要|别|用)"
)
_ASKED = re.compile(
    r"^(?i:(?:also|and|ok|okay|so|well)?,?\s*(?:please |kindly )?(?:can you |could you )?(?:remember|note(?: down)?|keep in mind|"
    r"bear in mind|don['’]t forget|do not forget|make a note)(?: that|:|,)\s*)(?P<v>.{3,})$"
    r"|^(?:请|麻烦)?(?:你)?(?:帮我)?(?:记住|记一下|记下来?|记得|别忘了|不要忘记|请记住)(?:了)?[：:，,]?\s*(?P<w>.{2,})$"
)
_ASKS = re.compile(
    r"[?？]\s*$|[吗呢]\s*[。.]?\s*$|^(?i:do|did|does|what|who|when|where|why|how|which|is|are|am)\b"
)
_SUPPOSED = re.compile(
    r"^(?i:if|when|suppose|imagine|whether|unless|assume)\b|^(?:如果|假如|要是|假设)"
    r"|(?i:\bwould (?:like|love|prefer|hate)\b)"
)
_NO_VALUE = re.compile(
    r"^(?i:not|n't|no|what|who|where|something|a secret|none|unknown)\b|什么|谁|哪|^不|多少"
)
_POINTS = re.compile(r"\b(?i:like|love|enjoy|hate|dislike) (?i:that|this|it|them|these|those)\b(?! )")
_CLAUSES = re.compile(r",?\s+(?:and|but)\s+(?=(?:my|I)\b)|[，,;；]\s*(?=我|(?:my|I)\b)")
"""Where another thing is told: forgetting the one shall leave nothing of it with the other."""
_SPELT = re.compile(r"\bfavorite\b")


class Said(NamedTuple):
    """Something to be remembered, as it was said; an `entity` with what it tells."""

    text: str
    kind: Kind
    attribute: str = ""
    value: str = ""
    subject: str = USER
    confidence: float = 1.0

    def entry(self, scope: Scope, said: Provenance, key: str = "") -> Entry:
        """The memory of it."""
        about = {"subject": self.subject, "attribute": self.attribute, "value": self.value}
        made = Entry(
            id=id_of(key, scope.tenant),
            text=self.text,
            kind=self.kind,
            scope=scope,
            provenance=(said.model_copy(update={"key": key}),),
            confidence=self.confidence,
        )
        return made.model_copy(update=about) if self.kind == "entity" else made


def spoken(text: str) -> list[Said]:
    """What a person's message tells of them, or asks to be remembered, in its order; each once."""
    found: dict[tuple[str, str, str], Said] = {}
    for sentence in _sentences(text):
        for said in _of(sentence):
            found.setdefault((said.kind, said.attribute or said.text, said.value), said)
    return list(found.values())


def _of(sentence: str) -> Iterator[Said]:
    if _ASKS.search(sentence) or _SUPPOSED.search(sentence):
        return
    asked = _ASKED.match(sentence)
    told = (asked["v"] or asked["w"]).strip() if asked is not None else sentence
    known = False
    for clause in _CLAUSES.split(told):
        if entities := list(_entities(clause)):
            yield from entities
        elif _PREFERS.search(clause) and not _POINTS.search(clause):
            yield Said(_large(clause), "preference")
        else:
            continue
        known = True
    if asked is not None and not known:
        yield Said(_large(told), "fact")


def _entities(sentence: str) -> Iterator[Said]:
    taken: set[str] = set()
    for rule in (*_ENGLISH, *_CHINESE):
        for match in rule.pattern.finditer(sentence):
            value = match["v"].strip(" .。\"'“”「」")
            attribute = rule.attribute or _SPELT.sub("favourite", match["a"].lower())
            if not value or len(value) > 120 or _NO_VALUE.search(value) or attribute in taken:
                continue
            taken.add(attribute)
            yield Said(_large(match[0].strip()), "entity", attribute, value)


def _sentences(text: str) -> Iterator[str]:
    for line in text.splitlines():
        for sentence in sentences(line):
            yield from (part.strip() for part in re.split(r"(?<=[!?！？;；])\s*", sentence) if part.strip())


def _large(text: str) -> str:
    return text[:1].upper() + text[1:]

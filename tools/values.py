"""Values that tools give and take: facts, comparisons, rankings, passages, each able to say itself to a person.

A value travels between tasks as JSON and is read back by the type of the tool that made it. `statement(lang)` is
the sentence that goes into an answer, `evidence(lang)` the lines that show where its numbers come from. Both are
computed here, so a number in an answer is never a model's.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Protocol, runtime_checkable

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from .text import Language

Number = int | float
_YEAR = re.compile(
    r"\b(year|date|founded|discovered|discovery|built|since|born|died|released|published|opened|introduced)\b|年"
)


@runtime_checkable
class Stated(Protocol):
    """A value that can say itself."""

    def statement(self, lang: Language) -> str:
        """One sentence for the answer."""
        ...

    def evidence(self, lang: Language) -> list[str]:
        """The lines behind it, each with its source."""
        ...


def number_text(value: Number, *, unit: str = "") -> str:
    """A number as people read it: thousands separated, at most six significant decimals, its unit behind."""
    if isinstance(value, float) and not value.is_integer():
        text = (
            f"{value:,.0f}"
            if abs(value) >= 1e6
            else f"{value:,.6g}"
            if abs(value) < 1000
            else f"{value:,.2f}".rstrip("0").rstrip(".")
        )
    else:
        text = f"{int(value):,}"
    return f"{text} {unit}" if unit else text


class Fact(BaseModel):
    """One value of one thing: Germany's population, the boiling point of neon.

    `label` is the thing, `quantity` what is told of it, `unit` its unit (empty for none). `local` holds the two
    names in other languages, keyed by language and then `label` or `quantity`.
    """

    model_config = ConfigDict(frozen=True)

    label: str = ""
    quantity: str = ""
    value: int | float | str
    unit: str = ""
    source: str = ""
    local: dict[str, dict[str, str]] = Field(default_factory=dict)

    def named(self, what: str, lang: Language) -> str:
        """The label or the quantity in a language, in the original where there is no translation."""
        own = {"label": self.label, "quantity": self.quantity}[what].replace("_", " ")
        return self.local.get(lang, {}).get(what, own)

    def amount(self) -> str:
        """The value as people read it, with its unit; a year has no thousands."""
        if (
            isinstance(self.value, int)
            and not self.unit
            and _YEAR.search(self.quantity.lower())
            and 0 < self.value < 3000
        ):
            return str(self.value)
        return self.value if isinstance(self.value, str) else number_text(self.value, unit=self.unit)

    def statement(self, lang: Language) -> str:
        """For example "Germany: population 82,927,922."."""
        label, quantity = self.named("label", lang), self.named("quantity", lang)
        stop, colon = ("。", "：") if lang == "zh" else (".", ": ")
        name = (
            f"{label}{colon}{quantity} "
            if label and quantity
            else f"{label or quantity}{colon}"
            if label or quantity
            else ""
        )
        return f"{name}{self.amount().rstrip('.。')}{stop}"

    def evidence(self, lang: Language) -> list[str]:
        """The fact and its source."""
        return [self.statement(lang).rstrip("。.") + (f" [{self.source}]" if self.source else "")]


def _as_fact(value: Any) -> Any:
    """A bare number or text is a fact without a name; another model around a number gives that number."""
    if isinstance(value, int | float | str):
        return {"value": value}
    if isinstance(value, dict) and "value" in value and not value.keys() <= Fact.model_fields.keys():
        return {"value": value["value"], "label": str(value.get("expression", ""))}
    return value


FactLike = Annotated[Fact, BeforeValidator(_as_fact)]
"""A parameter that takes a fact, a bare number or a bare text."""


def _share(part: float, whole: float) -> float | None:
    return None if whole == 0 else part / abs(whole) * 100


class Comparison(BaseModel):
    """Facts of one quantity side by side, greatest first."""

    model_config = ConfigDict(frozen=True)

    facts: list[Fact]

    @property
    def _figures(self) -> bool:
        return not any(isinstance(f.value, str) for f in self.facts)

    @property
    def _ends(self) -> tuple[Fact, Fact, float, float]:
        first, last = self.facts[0], self.facts[-1]
        return first, last, float(first.value), float(last.value)

    def statement(self, lang: Language) -> str:
        """Who has more, by how much, by how many percent, and how many times; texts stand side by side."""
        if not self._figures:
            same = len({f.value for f in self.facts}) == 1
            side_by_side = " ".join(f.statement(lang) for f in self.facts)
            return side_by_side + (
                "" if not same else "两者相同。" if lang == "zh" else " They are the same."
            )
        quantity = self.facts[0].named("quantity", lang)
        if len(self.facts) > 2:
            listed = [f"{f.named('label', lang)} {f.amount()}" for f in self.facts]
            order = (
                f"按{quantity}从高到低：" + "，".join(listed)
                if lang == "zh"
                else f"By {quantity or 'value'}, highest first: " + ", ".join(listed)
            )
            return order + ("。" if lang == "zh" else ". ") + self._pair(lang)
        return self._pair(lang)

    def _pair(self, lang: Language) -> str:
        first, last, high, low = self._ends
        a, b, quantity = first.named("label", lang), last.named("label", lang), first.named("quantity", lang)
        gap = high - low
        whole = all(isinstance(f.value, int) for f in (first, last))
        if gap == 0:
            same = (
                f"{a}和{b}的{quantity}相同"
                if lang == "zh"
                else f"{a} and {b} have the same {quantity or 'value'}"
            )
            return f"{same}{'：' if lang == 'zh' else ': '}{first.amount()}{'。' if lang == 'zh' else '.'}"
        difference = number_text(int(gap) if whole else _tidy(gap), unit=first.unit)
        more, less = _share(gap, low), _share(gap, high)
        both = more is not None and less is not None and low > 0
        if lang == "zh":
            tail = (
                f"，{a}多 {more:.1f}%（{b}少 {less:.1f}%），前者是后者的 {high / low:.2f} 倍" if both else ""
            )
            return f"{a}的{quantity}更高：{first.amount()}，{b}为 {last.amount()}，相差 {difference}{tail}。"
        tail = (
            f", which is {more:.1f}% more ({b} has {less:.1f}% less), or {high / low:.2f} times as much"
            if both
            else ""
        )
        verdict = (
            f"{a} has the higher {quantity or 'value'}: {first.amount()} against {last.amount()} for {b}."
        )
        return f"{verdict} The difference is {difference}{tail}."

    def evidence(self, lang: Language) -> list[str]:
        """Every fact, then how the percentage was worked out."""
        lines = [line for fact in self.facts for line in fact.evidence(lang)]
        if not self._figures:
            return lines
        _, _, high, low = self._ends
        if low > 0 and high != low:
            lines.append(
                f"({number_text(high)} − {number_text(low)}) ÷ {number_text(low)} = {(high - low) / low * 100:.2f}%"
            )
        return lines


def _tidy(value: float) -> float:
    """Drops the binary noise of a subtraction: 0.30000000000000004 is 0.3."""
    return float(f"{value:.12g}")


class Total(BaseModel):
    """Facts of one quantity added up, with their mean."""

    model_config = ConfigDict(frozen=True)

    facts: list[Fact]

    @property
    def sum(self) -> Number:
        """The sum; whole where every part is whole."""
        whole = all(isinstance(f.value, int) for f in self.facts)
        total = sum(float(f.value) for f in self.facts)
        return int(total) if whole else _tidy(total)

    def statement(self, lang: Language) -> str:
        """The sum and the mean."""
        unit, quantity = self.facts[0].unit, self.facts[0].named("quantity", lang)
        whole = number_text(self.sum, unit=unit)
        average = number_text(_tidy(float(self.sum) / len(self.facts)), unit=unit)
        names = [f.named("label", lang) for f in self.facts]
        if lang == "zh":
            return f"{'、'.join(names)}的{quantity}合计 {whole}，平均 {average}。"
        return (
            f"Together, {', '.join(names)} have a {quantity or 'value'} of {whole}; the average is {average}."
        )

    def evidence(self, lang: Language) -> list[str]:
        """Every fact that was added."""
        return [line for fact in self.facts for line in fact.evidence(lang)]


class Ranking(BaseModel):
    """The rows of a table that lead or trail in one quantity."""

    model_config = ConfigDict(frozen=True)

    facts: list[Fact]
    order: str = "highest"
    within: str = ""
    of: int = 0
    place: int | None = None

    def statement(self, lang: Language) -> str:
        """The first one, the one at the place that was asked for, or the list in order."""
        first = self.facts[0]
        quantity = first.named("quantity", lang)
        if self.place is not None:
            at = f"{first.named('label', lang)} ({first.amount()})"
            if lang == "zh":
                place = f"在{self.within}，" if self.within else ""
                end = "从高到低" if self.order == "highest" else "从低到高"
                return f"{place}{quantity}{end}排第 {self.place} 的是{at}。"
            place = f" in {self.within}" if self.within else ""
            return f"Number {self.place} by {quantity}{place}, {self.order} first, is {at}."
        listed = [f"{f.named('label', lang)} ({f.amount()})" for f in self.facts]
        if lang == "zh":
            place = f"在{self.within}，" if self.within else ""
            end = "最高" if self.order == "highest" else "最低"
            return f"{place}{quantity}{end}的是{'、'.join(listed)}。"
        place = f" in {self.within}" if self.within else ""
        verb = "is" if len(listed) == 1 else "are, in order,"
        return f"The {self.order} {quantity or 'value'}{place} {verb} {', '.join(listed)}."

    def evidence(self, lang: Language) -> list[str]:
        """The ranked facts, and among how many they were found."""
        lines = [line for fact in self.facts for line in fact.evidence(lang)]
        return (
            [*lines, f"共比较 {self.of} 行" if lang == "zh" else f"compared {self.of} rows"]
            if self.of
            else lines
        )


class Count(BaseModel):
    """How many rows of a table meet a condition."""

    model_config = ConfigDict(frozen=True)

    count: int
    what: str
    within: str = ""
    source: str = ""

    def statement(self, lang: Language) -> str:
        """The number, and of what."""
        where = self.within
        if lang == "zh":
            return f"{where + '：' if where else ''}共 {self.count} 个。"
        return f"{self.count} {self.what}{' in ' + where if where else ''}."

    def evidence(self, lang: Language) -> list[str]:
        """The count and its source."""
        return [self.statement(lang).rstrip("。.") + (f" [{self.source}]" if self.source else "")]


class Calculation(BaseModel):
    """An expression and what it comes to."""

    model_config = ConfigDict(frozen=True)

    expression: str
    value: int | float

    def statement(self, lang: Language) -> str:
        """The equation."""
        return f"{self.expression} = {number_text(_tidy(self.value) if isinstance(self.value, float) else self.value)}"

    def evidence(self, lang: Language) -> list[str]:
        """The equation."""
        return [self.statement(lang)]


class Passage(BaseModel):
    """A piece of a document: its text, the file and heading it stands under, how well it fits, and what to quote."""

    model_config = ConfigDict(frozen=True)

    text: str
    source: str
    heading: str = ""
    score: float = 0.0
    quote: str = ""

    def cited(self) -> str:
        """The quotation as it is shown in an answer, with where it stands."""
        place = f"{self.source}, “{self.heading.split(' › ')[-1]}”" if self.heading else self.source
        return f"> {' '.join((self.quote or self.text).split())}\n> — [{place}]"


class Passages(BaseModel):
    """What a search found, best first; `query` is what was looked for."""

    model_config = ConfigDict(frozen=True)

    query: str
    passages: list[Passage]

    def statement(self, lang: Language) -> str:
        """The best passage, quoted, with its source; or that nothing was found."""
        if not self.passages:
            return "文档中没有找到相关内容。" if lang == "zh" else "The documents say nothing about this."
        return self.passages[0].cited()

    def evidence(self, lang: Language) -> list[str]:
        """Where each passage stands."""
        return [f"[{p.source}] {p.heading}: {(p.quote or p.text)[:300]}" for p in self.passages]

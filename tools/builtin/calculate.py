"""`calculate`: arithmetic on an expression, exactly as written, never by a model."""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator, Field

from ...runtime.errors import ToolError
from ..tool import tool
from ..values import Calculation, Number

EXPRESSION = "arithmetic"
"""JSON-schema `format` of a parameter that holds an arithmetic expression."""

_WRITTEN = "^[0-9(][0-9a-z+*/().,% ^-]{0,80}$"
"""What a model may write as an expression; people may write more."""

_MAX_CHARS = 500
_MAX_EXPONENT = 1_000
_MAX_VALUE = 10**305
_BINARY: dict[type[ast.operator], Callable[[Number, Number], Number]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_FUNCTIONS: dict[str, Callable[..., Number]] = {
    "sqrt": math.sqrt, "abs": abs, "round": round, "min": min, "max": max, "log": math.log, "log10": math.log10,
    "exp": math.exp, "sin": math.sin, "cos": math.cos, "tan": math.tan, "floor": math.floor, "ceil": math.ceil,
}  # fmt: skip
_CONSTANTS = {"pi": math.pi, "e": math.e}


def evaluate(expression: str) -> Number:
    """The value of an arithmetic expression.

    Knows + - * / // % ** ( ), percentages ("15% of 240", "8%"), thousands separators, × ÷ − ^, and sqrt, abs,
    round, min, max, log, exp, sin, cos, tan, floor, ceil, pi, e.

    Raises:
        ToolError: it is not arithmetic, divides by zero, or would be too large.
    """
    if len(expression) > _MAX_CHARS:
        raise ToolError(f"The expression is longer than {_MAX_CHARS} characters: split it.")
    try:
        value = _value(ast.parse(_python(expression), mode="eval").body)
    except ToolError:
        raise
    except SyntaxError:
        raise ToolError(
            f"{expression!r} is not arithmetic: write numbers joined by + - * / ** and parentheses."
        ) from None
    except ZeroDivisionError:
        raise ToolError(f"{expression!r} divides by zero.") from None
    except (ValueError, OverflowError, TypeError) as error:
        raise ToolError(f"{expression!r} cannot be worked out: {error}.") from None
    if isinstance(value, complex) or value != value:
        raise ToolError(f"{expression!r} does not come to a real number.")
    if abs(value) > _MAX_VALUE:
        raise ToolError(f"{expression!r} is too large to work out.")
    return value


def _python(expression: str) -> str:
    text = re.sub(r"(?<=\d)[,_](?=\d{3}(?!\d))", "", expression)
    for sign, plain in {
        "×": "*",
        "·": "*",
        "÷": "/",
        "−": "-",
        "–": "-",
        "^": "**",
        "（": "(",
        "）": ")",
    }.items():
        text = text.replace(sign, plain)
    text = re.sub(r"(\d+(?:\.\d+)?)\s*的\s*(\d+(?:\.\d+)?)\s*%", r"\1*(\2/100)", text)
    text = re.sub(r"(\d+(?:\.\d+)?)\s*%\s*(?:of|的)\s*", r"(\1/100)*", text, flags=re.IGNORECASE)
    return re.sub(r"(\d+(?:\.\d+)?)\s*%(?!\s*[\d(])", r"(\1/100)", text).strip()


def _value(node: ast.expr) -> Number:
    match node:
        case ast.Constant(value=bool()):
            pass
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.Name(id=name) if name in _CONSTANTS:
            return _CONSTANTS[name]
        case ast.UnaryOp(op=ast.USub(), operand=part):
            return -_value(part)
        case ast.UnaryOp(op=ast.UAdd(), operand=part):
            return _value(part)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            a, b = _value(left), _value(right)
            if isinstance(op, ast.Pow) and (abs(b) > _MAX_EXPONENT or abs(a) > 1e15):
                raise ToolError(f"{a} to the power of {b} is too large to work out.")
            return _BINARY[type(op)](a, b)
        case ast.Call(func=ast.Name(id=name), args=parts, keywords=[]) if name in _FUNCTIONS:
            return _FUNCTIONS[name](*(_value(part) for part in parts))
        case _:
            pass
    raise ToolError(
        f"{ast.unparse(node)!r} is not arithmetic: only numbers, + - * / ** and functions such as sqrt are."
    )


def _workable(expression: str) -> str:
    """Refuses, before anything runs, what `evaluate` cannot work out."""
    try:
        evaluate(expression)
    except ToolError as error:
        raise ValueError(str(error)) from None
    return expression


@tool
def calculate(
    expression: Annotated[
        str, AfterValidator(_workable), Field(json_schema_extra={"format": EXPRESSION, "pattern": _WRITTEN})
    ],
) -> Calculation:
    """Work out an arithmetic expression exactly: sums, products, powers, roots, percentages. 计算算式.

    Args:
        expression: The arithmetic, for example "12 * (3 + 4)" or "15% of 240".
    """
    value = evaluate(expression)
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        value = int(value)
    return Calculation(expression=expression.strip(), value=value)

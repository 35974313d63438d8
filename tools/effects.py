"""Effects: what a tool promises about being called again, and how a call in doubt is cleared up.

======================  =============================================================================
effect                  after a crash, or when a call has failed
======================  =============================================================================
``read_only``           it is called again
``idempotent``          it is called again with the same `IdempotencyKey`, by which it knows the call
``once``                it is never called again unasked: `reconcile` or a person says what happened
======================  =============================================================================

A `once` tool that raises `ToolError` says by it that nothing has happened, so that the call may be tried again.
Any other error leaves it unknown.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NewType

from ..runtime.errors import InvalidCrew
from ..runtime.stepping.doubt import Finding

if TYPE_CHECKING:
    from .tool import Tool

IdempotencyKey = NewType("IdempotencyKey", str)
"""The type of a parameter that gets the call's key.

The key is the same however often the call is tried, in whichever process, and another one in another run or fork.
Hand it to the service that is called, and it knows a repeated call by it. It is no argument: neither planners nor
models see the parameter.
"""

Reconcile = Callable[..., Awaitable[Finding] | Finding]
"""Takes the key that the call in doubt was given, and its arguments or some of them by name; gives
``Happened(value)``, ``DidNotHappen()`` or ``StillUnknown()``."""

Approval = bool | Callable[..., bool]
"""Whether a person is asked before a call: always, or where this function of its arguments says so."""


def check_promises(tool: Tool) -> None:
    """Refuse promises that a tool cannot keep.

    Raises:
        InvalidCrew: one sentence, with the mend.
    """
    name = tool.name
    if tool.effect == "idempotent" and tool.key is None:
        raise InvalidCrew(
            f"The tool {name!r} is idempotent and takes no key: add a parameter 'key: IdempotencyKey' and hand it "
            "to the service that is called, or say effect='once'."
        )
    if tool.reconcile is not None:
        if tool.effect != "once":
            raise InvalidCrew(
                f"The tool {name!r} has a reconcile and is {tool.effect}: only a 'once' call is ever in doubt, "
                "leave reconcile out or say effect='once'."
            )
        _check_takes(tool.reconcile, ("key",), tool.args.model_fields, f"The reconcile of the tool {name!r}")
    if callable(tool.approval):
        _check_takes(tool.approval, (), tool.args.model_fields, f"The approval rule of the tool {name!r}")
    if tool.limit is not None and tool.limit < 1:
        raise InvalidCrew(
            f"The tool {name!r} may be called {tool.limit} times at once, which is never: the limit is 1 or more."
        )
    if tool.timeout is not None and tool.timeout <= 0:
        raise InvalidCrew(
            f"The tool {name!r} has {tool.timeout:g} s to answer: the timeout is more than 0 seconds."
        )


def given(fn: Callable[..., Any], values: Mapping[str, Any], *, after: int = 0) -> dict[str, Any]:
    """Those of the values that a function takes by name, beside its first `after` parameters."""
    parameters = list(inspect.signature(fn).parameters.values())[after:]
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return dict(values)
    named = {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    return {name: value for name, value in values.items() if name in named}


def _check_takes(fn: Callable[..., Any], first: tuple[str, ...], names: Iterable[str], who: str) -> None:
    values = dict.fromkeys(names)
    try:
        inspect.signature(fn).bind(*first, **given(fn, values, after=len(first)))
    except TypeError as error:
        wanted = ", ".join((*first, *values)) or "nothing"
        raise InvalidCrew(f"{who} cannot be called ({error}): it takes {wanted}, or some of them.") from None

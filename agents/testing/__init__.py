"""For tests of crews, shipped so that crew authors use them too: scripted and recorded models, and what a run did."""

from .recorded import RecordedModel
from .scripted import OTHERS, Act, ForbiddenModel, Reply, Script, ScriptedModel
from .tracing import (
    Called,
    Trace,
    called,
    called_in_order,
    cost_below,
    no_model_called,
    not_called,
    plan_has,
    plan_of,
)

__all__ = [
    "OTHERS",
    "Act",
    "Called",
    "ForbiddenModel",
    "RecordedModel",
    "Reply",
    "Script",
    "ScriptedModel",
    "Trace",
    "called",
    "called_in_order",
    "cost_below",
    "no_model_called",
    "not_called",
    "plan_has",
    "plan_of",
]

"""Live: the switch by which tests forbid calls to real models.

It is an environment variable, so that it holds in processes that a test starts too. The pytest plugin sets it.
"""

from __future__ import annotations

import os

LIVE_VARIABLE = "CREWGRAPH_LIVE_MODELS"
FORBIDDEN = "forbidden"


class LiveModelForbidden(AssertionError):
    """A real model was about to be called where that is forbidden.

    An `AssertionError`, and none of `CrewgraphError`, so that no fallback takes it for an engine that is down.
    """


def require_live(what: str) -> None:
    """Nothing, where real models may be called.

    Raises:
        LiveModelForbidden: the environment forbids it; `what` says what was about to happen.
    """
    if os.environ.get(LIVE_VARIABLE) == FORBIDDEN:
        raise LiveModelForbidden(
            f"{what}: this test may not, for live models are forbidden here; give the crew a ScriptedModel or a recorded "
            "one, mark the test with @pytest.mark.live, or run pytest --live-models."
        )

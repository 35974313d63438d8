"""Keys of the engines that the models file names are never written down, whoever says them."""

from __future__ import annotations

from pathlib import Path

import pytest

from crewgraph import House, Settings
from crewgraph.agents.testing import ScriptedModel

KEY = "quite-an-ordinary-word-that-is-a-key"


@pytest.mark.parametrize("said", [True, False])
async def test_a_key_of_the_models_file_is_redacted(
    tmp_path: Path, shop: object, monkeypatch: pytest.MonkeyPatch, said: bool
) -> None:
    if said:
        lines = ["[engine.gpu]", 'url = "http://gpu:8000/v1"', 'key_env = "GPU_KEY"']
        (tmp_path / "models.toml").write_text("\n".join(lines))
    monkeypatch.setenv("GPU_KEY", KEY)
    model = ScriptedModel(lambda request: request.choices[0] if request.choices else f"The key is {KEY}.")
    async with House.open(Settings(home=tmp_path, model_url=None), client=model) as house:
        thread = await house.store.create_thread()
        crew = getattr(shop, "crew")  # noqa: B009  # the fixture's class is the conftest's own
        await house.ask(crew, f"Hello, {KEY}!", thread_id=thread.id, planner="rules")
        kept = [message.content for message in await house.store.messages(thread.id)]
    assert (KEY in "".join(kept)) is not said

"""The language of a request is told by its script and its small words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crewgraph.planner.intent.form.language import language_of


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Where is the key?", "en"),
        ("钥匙在哪里？", "zh"),
        ("鍵はどこですか", "ja"),
        ("열쇠가 어디에 있어요?", "ko"),
        ("Где ключ?", "ru"),
        ("Де ключ і двері?", "uk"),
        ("Wo ist der Schlüssel?", "de"),
        ("Où est la clé ?", "fr"),
        ("¿Dónde está la llave?", "es"),
        ("Dove è la chiave?", "it"),
        ("Onde está a minha chave?", "pt"),
        ("Waar is de sleutel?", "nl"),
        ("أين المفتاح؟", "ar"),
        ("Bonjour", "fr"),
        ("", "en"),
        ("12 + 30", "en"),
        ("brb lol", "en"),
        ("帮我 debug 这段 code", "zh"),
    ],
)
def test_language(text: str, language: str) -> None:
    assert language_of(text) == language


@given(st.text(max_size=80))
def test_any_text_has_one(text: str) -> None:
    assert len(language_of(text)) == 2

"""Guardrails: what an agent's result has to be, held before anybody else sees it."""

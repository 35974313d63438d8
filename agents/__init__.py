"""Agents: the model contract, Agent and Crew, how a role reasons. Knows nothing of planning or HTTP."""

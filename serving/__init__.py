"""Serving: every edge of the house (engines, model client, chat API, CLI), and where parts are put together."""

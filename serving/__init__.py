"""Serving: every edge of the house (engines, model client, chat API, CLI) and the place where parts are put together."""

"""Keeping an engine up: a daemon that starts the engine's own process, watches it and starts it again."""

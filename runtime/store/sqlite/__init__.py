"""Runs and conversations in one SQLite file."""

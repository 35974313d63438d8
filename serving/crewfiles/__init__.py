"""Crews in files: Python, YAML, JSON, and those that were written for CrewAI."""

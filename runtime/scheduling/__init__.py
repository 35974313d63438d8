"""Carrying out a task graph: what is next (`schedule`), how the graph grows, and the one place that acts on it."""

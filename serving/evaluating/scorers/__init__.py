"""The ways to score an answer, and the way to it."""

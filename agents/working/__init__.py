"""Agents at work in a crew: a task to its result, colleagues asked, tasks handed on, a board that all may see."""

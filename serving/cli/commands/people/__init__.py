"""Commands for people whom a run waits for: what it asks, and their answers."""

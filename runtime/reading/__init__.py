"""What is read from a run's events: its story, its open questions, a replay, and where that parts from the code."""

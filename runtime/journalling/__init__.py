"""What is written down of a run: rows of events, the index of its steps, and what is taken out before."""

"""The terminal while a run goes on: what is drawn, what is printed line by line, what is asked and typed."""

"""Evaluating crews: a dataset of cases, each a run; what came of them, scored, reported and compared."""

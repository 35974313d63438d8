"""DBOS, and what this package needs of it. It is imported in this folder only."""

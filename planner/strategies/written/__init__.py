"""Plans as a model writes them: what it is told, the form that it writes in, and how that is read."""

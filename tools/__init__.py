"""Tools: what a tool is, its schema, the built-in ones. Knows nothing of agents or models."""

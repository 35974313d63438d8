"""What must hold of a plan before a token is spent on it."""

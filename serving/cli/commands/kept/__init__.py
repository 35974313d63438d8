"""Commands over what is kept: runs and conversations listed, carried elsewhere, checked, taken away."""

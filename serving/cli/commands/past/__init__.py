"""Commands over past runs: look into one, go through it again, leave it in the middle, compare two."""

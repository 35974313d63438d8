"""What can be done with a past run: go on from the middle of it, compare it, find what made it wrong, freeze it."""

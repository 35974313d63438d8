"""What can be wrong with a plan, one sort of it in each module."""

"""A2A, the Agent2Agent protocol 1.0, in both directions: a crew behind it, and agents behind it in a crew."""

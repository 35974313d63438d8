"""The planner: from a request to a checked task graph. Knows nothing of HTTP or engines."""

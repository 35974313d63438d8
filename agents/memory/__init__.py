"""Long-term memory of agents: what they were told and what happened, recalled in later runs, and really forgotten."""

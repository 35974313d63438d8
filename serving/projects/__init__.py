"""Projects: what `crewgraph new` makes."""

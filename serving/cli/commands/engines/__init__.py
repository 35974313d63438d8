"""The commands below `crewgraph engine`, by what they are about."""

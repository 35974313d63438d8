"""crewgraph: multi-agent orchestration with planned task graphs, durable steps, replay, and a local model engine."""

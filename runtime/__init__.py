"""The runtime: task graphs, durable steps, the journal, the scheduler. Knows no models, roles or HTTP."""

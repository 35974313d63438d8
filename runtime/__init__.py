"""The runtime: task graphs, durable steps, the journal, the scheduler. Knows nothing of models, roles or HTTP."""

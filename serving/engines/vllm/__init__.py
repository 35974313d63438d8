"""vLLM: installed into an environment of its own, given its form of the model, served from there."""

"""Ways of reasoning, each a graph that can be drawn."""

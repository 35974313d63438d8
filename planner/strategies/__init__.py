"""Ways of making a plan, all behind one protocol."""

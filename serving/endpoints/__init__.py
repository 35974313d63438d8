"""Which engines there are, and one model client over all of them; see `opening.open_models`."""

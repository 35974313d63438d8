"""Values that tools know beforehand, or know by their type, as a request speaks of them."""

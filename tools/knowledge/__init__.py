"""Knowledge: documents cut into passages, indexed, and searched."""

"""How a schema goes over the wire, so that an engine decodes it fast."""

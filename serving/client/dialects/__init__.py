"""How each kind of engine wants to be spoken to: one module a protocol, all behind `Dialect`."""

"""How one effect is carried out: in its lane, with its intent before and its result after, and never twice unasked."""

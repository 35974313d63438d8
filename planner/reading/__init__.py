"""What a request says, and what of it fits which tool: rules over general language, of no subject."""

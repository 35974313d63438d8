"""The terminal's side of the commands: what is drawn and printed, and the lines that are typed."""

"""The command line: the root command here, what it calls in `commands`, what that shows in `screens`."""

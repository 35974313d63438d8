"""Runs and conversations in a PostgreSQL database, shared by any number of processes and machines."""

"""Replanning: another plan where one could not be carried out, which keeps what is done and replaces what is affected."""

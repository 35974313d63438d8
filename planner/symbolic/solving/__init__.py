"""Solvers in a process of their own: asked over a pipe, killed at a time limit, never trusted."""

"""Drawings of a plan: a text tree, Mermaid and SVG, each a pure function of its tasks and its estimate."""

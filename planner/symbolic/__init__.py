"""Symbolic planning: tools that say what they need and change, goals, and plans that are proved before they leave."""

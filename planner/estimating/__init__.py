"""Estimates: what a plan is thought to take before it is carried out, whether that fits a budget, and what it really took."""

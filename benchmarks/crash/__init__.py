"""The parts of `crash_sweep.py`: the world outside, the run, the moments of death, and the verdict."""

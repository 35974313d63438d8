"""Protocol fakes: engines whose servers cannot be had here, played over the embedded engine.

What they answer is a real model's; only the protocol is played. They are held to the protocol by the official Python
clients of both (see `test_fakes_are_true.py`).
"""

"""What is measured on a GPU with a real vLLM: see `run.py`."""

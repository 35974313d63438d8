"""What `plan_quality.py` is made of: rows of public data, their tools as real ones, planners at work, and scores."""

"""The worker processes of a cluster: who lives, who has died, what they tell each other."""

"""The models that can be pulled: what there is, how it is fetched, and its files on disk."""

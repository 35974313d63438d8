"""Conversations as a store keeps them: messages, summaries, whose turn it is, and what runs keep of them."""

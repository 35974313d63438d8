"""The chat API: a crew behind the OpenAI chat-completions protocol."""

"""The forms that a reply may be asked for in, each checked before it is sent and after it came back."""

"""What the form of a request tells, whatever crew it is put to: its signs, its language, whether it chats."""

"""What kind of thing a request is, and in which language, found out before anything is planned."""

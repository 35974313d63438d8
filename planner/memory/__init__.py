"""Plans that worked: kept with their requests, offered for requests like them, forgotten when they fail."""

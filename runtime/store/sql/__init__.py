"""What is said to a database: the protocol before it, the SQL, the tables, and how these are brought up to date."""

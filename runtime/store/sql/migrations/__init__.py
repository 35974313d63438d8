"""Migrations: from each released version of the tables to the next. They are only ever added to."""

"""Many machines: tasks and runs carried by any number of worker processes, on DBOS and PostgreSQL.

Needs the extra ``cluster``. Nothing here is imported before it is used.
"""

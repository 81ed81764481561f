"""Where everything is kept: the database, its tables and migrations, durable files.

Knows nothing of what a record means to a request, nor of vectors.
"""

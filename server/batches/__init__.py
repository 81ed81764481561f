"""Batches of requests, answered by this server as if their tenant had sent them one by one."""

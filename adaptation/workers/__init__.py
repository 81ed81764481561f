"""Processes of ours that answer one request at a time and may be killed at any."""

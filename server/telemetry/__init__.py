"""What the server tells its operator: a log line for each request, traces, and metrics."""

"""From a command line to a server that is ready: defaults for this machine, progress, greeting."""

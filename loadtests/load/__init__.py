"""How a server holds under load: too much of it, restarts in the midst of it, hours of it."""

"""From the body of a request to what adaptation and memory know of it."""

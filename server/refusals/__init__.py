"""What is refused, and in which words: checks of requests, and errors on their way out."""

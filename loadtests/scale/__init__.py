"""What is gained by more than one machine: a part a file, each a program of its own."""

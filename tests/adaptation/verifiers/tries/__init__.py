"""What an answer may try against the sandbox and the grader, by kind, and what came of it."""

"""What was asked and answered: completions, responses, conversations, files, votes, traces."""

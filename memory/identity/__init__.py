"""What is the same question, and what is the same answer: decided here and nowhere else."""

"""Practice: exercises whose answers are known by execution, as hard as the model can just solve."""

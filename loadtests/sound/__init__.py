"""What one build does where another one failed, side by side on the same machine."""

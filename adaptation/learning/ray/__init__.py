"""Trainers as Ray actors, on other devices or other hosts; Ray is imported in processes of ours."""

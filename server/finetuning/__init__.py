"""OpenAI's fine-tuning: its forms, its files and its objects."""

"""OpenAI's graders: what a model said, scored by rule, by likeness, by a model or by Python."""

"""Training from judgements: preferences between two answers (DPO), and grades (GRPO), by TRL."""

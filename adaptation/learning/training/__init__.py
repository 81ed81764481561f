"""Learning: turning conversations into a LoRA, in a process of its own."""

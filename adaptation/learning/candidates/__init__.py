"""What a generation considers learning from: scored, chosen, and with a solution where it lacks."""

"""Other people's voting, each launched for real in an environment of its own."""

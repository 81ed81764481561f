"""What requests cost, told to whoever writes bills."""

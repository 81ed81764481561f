"""What `make bench-loop` is made of: unattended generations, what each version says, two builds."""

"""Offline work in a process of its own: what is asked for, who runs it, how each kind is done."""

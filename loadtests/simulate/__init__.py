"""A discrete-event model of Whets on one machine or many, with costs measured on this one."""

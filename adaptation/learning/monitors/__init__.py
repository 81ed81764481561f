"""Monitors: what goes wrong with a model that learns from itself, each in a file, each an alarm.

They look at what a generation has measured anyway, and veto nothing: that is the gate's.
"""

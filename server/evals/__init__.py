"""Runs of evaluations: items are asked, answers are graded, what came of each is kept."""

"""Work for when nobody waits, as it is remembered: jobs, schedules, batches, evaluations."""

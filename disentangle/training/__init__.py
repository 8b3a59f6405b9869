"""Training: the step, the one loop, the population axis, and their files."""

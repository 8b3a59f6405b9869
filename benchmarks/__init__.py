"""Ours beside what a user would pick instead; each prints one table."""

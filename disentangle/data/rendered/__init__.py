"""Procedural renderers: NumPy float64, run once and cached."""

"""Estimators of one step: `estimate(probe) -> (N, N)`, Z[source, target], a file each.

The table ESTIMATORS is in `disentangle/affinity/__init__.py`.
"""

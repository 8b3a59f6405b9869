"""All groups from one trained model: a linearised network, fitted group by group.

The table ONE_MODEL is in `disentangle/affinity/__init__.py`.
"""

"""All groups from a few trained ones: `predict(groups, losses, trained) -> (G, N)`.

The table FROM_GROUPS is in `disentangle/affinity/__init__.py`.
"""

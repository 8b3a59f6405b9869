"""disentangle: multi-task affinity and disentanglement studies in JAX."""

"""Studies: runs joined with affinity, grouping and scores."""

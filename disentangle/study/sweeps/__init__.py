"""Large studies: thousands of models from one grid, and one table of what they are."""

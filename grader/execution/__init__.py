"""Notebooks: what was handed in, how it is run by papermill inside a sandbox, what its executed copy says."""

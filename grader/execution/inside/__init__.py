"""What runs a notebook inside a sandbox: sent there as source, imports nothing of ours."""

"""What runs inside a sandbox: sent there as source, standard library only, imports nothing of ours."""

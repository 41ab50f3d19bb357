"""Smaller and faster digit networks: quantize, prune, measure."""

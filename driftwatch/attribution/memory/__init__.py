"""GPU memory pressure: what filled, who took it, and when it runs out."""

"""Training: rendered and labelled scenes → network → checkpoint."""

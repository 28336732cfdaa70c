"""What `fit` lacks: choosing a strategy, showing progress, keeping what a run leaves."""

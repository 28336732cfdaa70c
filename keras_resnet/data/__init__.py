"""From files to batches: preprocessing and data sets."""

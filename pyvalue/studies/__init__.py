"""Studies as files: read one, run it as a whole, and read what a run has made so far."""

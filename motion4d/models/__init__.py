"""What an experiment trains or runs."""

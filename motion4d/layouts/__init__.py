"""What published datasets look like on disk: folders, sequence lists, file patterns. No torch."""

"""What task=inspect knows about samples: checks that their parts agree, and the files that show them."""

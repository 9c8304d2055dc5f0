"""Terms on parts and how they move (SegAffordance): (PartPrediction, PartQuery) -> unreduced values, or a scalar."""

"""Train, evaluate, predict: everything that accelerate touches."""

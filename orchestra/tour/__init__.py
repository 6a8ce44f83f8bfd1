"""The tour: the whole circle on a real language model, as `make tour` runs it."""

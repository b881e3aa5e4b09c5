"""`make bench`: the figures of the product, each against a floor of the same run. One module a bench."""

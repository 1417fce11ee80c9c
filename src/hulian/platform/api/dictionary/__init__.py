"""What words mean, and what raw tags mean: the shelf of dictionaries, and the matching of live points to concepts."""

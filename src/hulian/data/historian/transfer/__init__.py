"""Samples to and from files: CSV and Parquet, in bounded memory, with progress."""

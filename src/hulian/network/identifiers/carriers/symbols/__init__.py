"""Barcodes: a code as the modules of a symbol, and the symbols in an image."""

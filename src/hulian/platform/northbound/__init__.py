"""The model and its live data, served in the field's own protocols."""

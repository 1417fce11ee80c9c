"""What Hulian measures of itself. Each module has ``run() -> list[Row]``; references are measured in the same run."""

"""Registration in bulk: rows of CSV or Arrow become records, in durable batches, by a job that goes on where it was cut."""

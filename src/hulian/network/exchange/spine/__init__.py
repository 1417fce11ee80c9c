"""The spine: subjects, streams, delivery, on NATS. It knows order and acknowledgement, and no protocol."""

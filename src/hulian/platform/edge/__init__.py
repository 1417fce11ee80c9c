"""Edge layer: connectors run here; what they read is numbered, journalled and published, and kept while the link is down."""

"""GS1: identification keys, element strings and Digital Links."""

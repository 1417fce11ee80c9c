"""Handle values in JSON, as the REST API of the Handle System reads and writes them, both ways."""

from hulian.network.identifiers.wire.json_form.values import value_from_json, value_to_json, values_to_json

__all__ = ["value_from_json", "value_to_json", "values_to_json"]

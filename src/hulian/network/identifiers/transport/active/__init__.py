"""The ways of active carriers to their node: TCP with TLS, CoAP, MQTT. All carry the same messages."""

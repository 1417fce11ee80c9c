"""The spine: subjects, order, acknowledgement, on NATS. It knows no protocol.

`server` makes nats-server's configuration, `streams` what is kept and for how long, `connection` one client,
`publisher` acknowledged sending, `consumer` reading in blocks, `codec` sample batches as bytes, `mqtt_input` what
devices publish through the MQTT listener. Who may say and hear what is kept in `hulian.trust`.
"""

"""The Handle protocol 2.x and DO-IRP 3.0 on the wire: bytes and messages, bodies, typed values, proofs. No I/O, no clock."""

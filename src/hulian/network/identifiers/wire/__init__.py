"""The Handle protocol 2.x and DO-IRP 3.0 on the wire: bytes and messages, bodies, typed values, proofs. No I/O, no clock.

===================  ===================================================================================
`codes`, `limits`    the numbers of the protocol, and its bounds
`errors`             everything that can be wrong, by name
`frame`              a whole message: envelope, header, body, credential
`fast`               the hot path: a question read in place, a packed answer patched
`datagrams`          messages in datagrams of 512 bytes, and a bounded reassembler
`stream`             a TCP stream cut into messages
`bodies`             one class for each body; `read_body` finds out which one a message has
`values`             handle values, packed and walked
`typed`              what the data of HS_ADMIN, HS_SITE, HS_PUBKEY … mean
`trust`              HS_SIGNATURE and HS_CERT, up to a trust root
`authentication`     challenge-response, signed messages, sessions
`sm2`                the curve that the cryptography library does not have
`json_form`          values as the REST API has them
`root_info`          the file that every client starts from
===================  ===================================================================================

Bytes from outside are read within bounds, and whatever is wrong is a `WireError` with the offset; nothing else is raised.
"""

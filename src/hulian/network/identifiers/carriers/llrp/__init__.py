"""Readers of RFID tags by the Low Level Reader Protocol (EPCglobal LLRP 1.1, and 1.0.1 where a reader speaks nothing newer).

    numbers     types of messages and parameters, status codes
    codec       octets ↔ messages and parameters; every length is bounded before anything is kept for it
    messages    what the messages hold that an inventory needs
    client      an inventory that runs until it is left, over lost connections
    simulator   a reader without a radio, for tests and demonstrations

An inventory is all: access to other banks, kill and lock, RF surveys and vendors' extensions are not here.
"""

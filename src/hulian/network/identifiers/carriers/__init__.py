"""Static carriers: what an identifier is printed on, written into and read from.

    symbols     barcodes: a `Code` → modules, an image → the symbols in it
    labels      modules and text → labels and sheets as SVG, PNG and PDF
    rfid        memory of Gen2 tags: EPC bank, user bank
    nfc         NDEF messages, images of Type 2 and Type 4 tags
    llrp        readers of RFID tags: codec, client, and a simulator for tests

All but `llrp.client` and `llrp.simulator` are pure: values and octets in, values and octets out. What is read is handed to
`schemes.recognition`; nothing here resolves it. docs/topics/identifiers-carriers.md shows each by example.
"""

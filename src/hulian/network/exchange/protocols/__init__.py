"""One folder a protocol: bytes to columns and back. None of them touches the spine or another protocol."""

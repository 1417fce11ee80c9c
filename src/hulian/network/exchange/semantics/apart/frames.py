"""Frames on a pipe between this process and a worker of its own: four bytes of length, one of kind, the content."""

from __future__ import annotations

from typing import BinaryIO

__all__ = ["read_frame", "write_frame"]


def read_frame(stream: BinaryIO) -> tuple[bytes, bytes] | None:
    """Kind and content of the next frame; None at the end, also where the other side ended in the middle of one."""
    head = stream.read(5)
    if len(head) < 5:
        return None
    size = int.from_bytes(head[:4], "big")
    content = stream.read(size)
    return (head[4:], content) if len(content) == size else None


def write_frame(stream: BinaryIO, kind: bytes, content: bytes) -> None:
    """One frame, sent at once."""
    stream.write(len(content).to_bytes(4, "big") + kind + content)
    stream.flush()

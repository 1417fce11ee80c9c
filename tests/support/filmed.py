"""Labels as pictures, and a film of one: what Chromium shows instead of a camera when it is started with `camera_flags`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from hulian.network.identifiers.carriers.labels.printing import Form, Job, Request, print_labels
from hulian.network.identifiers.carriers.symbols.symbology import Kind

WIDTH, HEIGHT, SYMBOL = 640, 480, 300


def label(folder: Path, identifier: str, kind: Kind) -> Path:
    """A label of our own printing."""
    out = folder / f"{kind.value}.png"
    print_labels([Request(identifier)], Job(kind=kind), out, Form.PNG)
    return out


def film(folder: Path, identifier: str, kind: Kind) -> Path:
    """The label on a grey table, as a film of a few frames (YUV4MPEG2, 4:2:0)."""
    seen = Image.new("L", (WIDTH, HEIGHT), 190)
    seen.paste(Image.open(label(folder, identifier, kind)).convert("L").resize((SYMBOL, SYMBOL)), (170, 90))
    light = np.asarray(seen, dtype=np.uint8).tobytes()
    colour = bytes([128]) * (WIDTH * HEIGHT // 2)
    out = folder / "camera.y4m"
    out.write_bytes(f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F10:1 Ip A1:1 C420jpeg\n".encode() + (b"FRAME\n" + light + colour) * 5)
    return out


def camera_flags(shown: Path) -> list[str]:
    """A camera that is allowed and plays ``shown`` again and again."""
    return [
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={shown}",
    ]

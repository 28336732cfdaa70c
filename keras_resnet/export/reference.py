"""Two pictures drawn by arithmetic: a consumer of an export sends them, and compares what comes back with the card."""

import io

import numpy as np

_HEIGHT, _WIDTH = 72, 96


def reference_images(channels: int = 3) -> list[bytes]:
    """Two PNG files of 72 x 96 pixels, some kilobytes: rings in colour, and stripes over a gradient.

    Args:
        channels: 1 (grey) or 3 (RGB).

    Example:

    >>> [content[:4] for content in reference_images()]
    [b'\\x89PNG', b'\\x89PNG']
    """
    from PIL import Image

    y, x = np.mgrid[:_HEIGHT, :_WIDTH]
    rings = (x - 40) ** 2 + (y - 30) ** 2
    pictures = [
        np.stack([rings // 16 % 256, 255 - rings // 32 % 256, (x + y) * 3 // 2], axis=-1),
        np.stack([x * 255 // (_WIDTH - 1), y * 255 // (_HEIGHT - 1), 255 * ((x + 2 * y) // 12 % 2)], axis=-1),
    ]
    files = []
    for picture in pictures:
        buffer = io.BytesIO()
        image = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))
        (image.convert("L") if channels == 1 else image).save(buffer, "PNG", optimize=True)
        files.append(buffer.getvalue())
    return files

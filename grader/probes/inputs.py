"""Fresh hidden inputs: held-out digits, moved and dirtied by the run's seed, as request bodies."""

from __future__ import annotations

import json
import random
import struct
from dataclasses import dataclass
from pathlib import Path

SIDE = 28
HELD_OUT = 1


@dataclass(frozen=True)
class Pool:
    """The held-out images of the course, each 784 bytes row by row."""

    images: tuple[bytes, ...]


def read_pool(path: Path) -> Pool:
    """The held-out part of digits.safetensors (8 bytes header length, JSON header, raw tensors)."""
    data = path.read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    body = data[8 + length :]
    first, last = header["images"]["data_offsets"]
    split_first, split_last = header["split"]["data_offsets"]
    pixels, split = body[first:last], body[split_first:split_last]
    size = SIDE * SIDE
    return Pool(tuple(pixels[i * size : (i + 1) * size] for i, part in enumerate(split) if part == HELD_OUT))


def moved(image: bytes, right: int, down: int) -> list[int]:
    """The image shifted, black coming in at the edges."""
    out = [0] * (SIDE * SIDE)
    for row in range(max(0, down), min(SIDE, SIDE + down)):
        for column in range(max(0, right), min(SIDE, SIDE + right)):
            out[row * SIDE + column] = image[(row - down) * SIDE + column - right]
    return out


def bodies(pool: Pool, count: int, seed: int, purpose: str) -> list[str]:
    """`count` different request bodies; the same seed and purpose give the same ones."""
    chance = random.Random(f"{seed}:{purpose}")
    out: list[str] = []
    for _ in range(count):
        pixels = moved(chance.choice(pool.images), chance.randint(-2, 2), chance.randint(-2, 2))
        for _ in range(8):
            pixels[chance.randrange(SIDE * SIDE)] = chance.randint(0, 255)
        out.append(json.dumps({"pixels": pixels}, separators=(",", ":")))
    return out

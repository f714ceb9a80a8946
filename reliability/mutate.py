"""Wrong bytes from right ones: flips, cuts, repetitions, numbers at the edge, two files spliced."""

from __future__ import annotations

import random
import struct

EDGES = [
    struct.pack(form, value)
    for form in ("<B", "<H", ">H", "<I", ">I", "<Q", ">Q")
    for value in (0, 1, 2 ** (8 * struct.calcsize(form)) - 1, 2 ** (8 * struct.calcsize(form) - 1))
]
WORDS = [
    b"NaN", b"Infinity", b"-1", b"1e999", b"1e39", b"0", b"4294967296", b"9" * 400, b"9" * 5000, b"null", b"true",
    b"[]", b"{}", b'""', b'"\\ud800"', b"[" * 2000, b"\\u0000", b"../../x", b"/", b"\xff", b"\n", b"\x00", b" ",
]  # fmt: skip


def mutant(seeds: list[bytes], text: bool, seed: int, number: int) -> bytes:
    """Mutant number `number` of a series: the same again for the same arguments."""
    rng = random.Random(seed * 1_000_003 + number)
    data = bytearray(rng.choice(seeds))
    for _ in range(1 + min(int(rng.expovariate(0.7)), 12)):
        _change(data, seeds, text, rng)
    return bytes(data)


def _change(data: bytearray, seeds: list[bytes], text: bool, rng: random.Random) -> None:
    if not data:
        data += rng.choice(seeds)
        return
    place = rng.randrange(len(data))
    if rng.random() < 0.3:
        place = min(place, rng.randrange(256))  # heads decide more than bodies
    length = 1 + min(int(rng.expovariate(0.1)), len(data) - place - 1)
    match rng.randrange(9 if text else 8):
        case 0:
            data[place] ^= 1 << rng.randrange(8)
        case 1:
            for _ in range(rng.randint(1, 8)):
                data[rng.randrange(len(data))] = rng.randrange(256)
        case 2:
            edge = rng.choice(EDGES)
            data[place : place + len(edge)] = edge
        case 3:
            del data[place:]
        case 4:
            del data[place : place + length]
        case 5:
            data[place:place] = data[place : place + length] * rng.randint(1, 4)
        case 6:
            data[place:place] = rng.randbytes(rng.randint(1, 16))
        case 7:
            other = rng.choice(seeds)
            start = rng.randrange(len(other))
            data[place : place + length] = other[start : start + length]
        case 8:
            _swap_word(data, place, rng)


def _swap_word(data: bytearray, place: int, rng: random.Random) -> None:
    """Put a word at the edge in the place of a number or word."""
    end = place
    while end < len(data) and chr(data[end]).isalnum():
        end += 1
    while place > 0 and chr(data[place - 1]).isalnum():
        place -= 1
    data[place:end] = rng.choice(WORDS)

"""ncnn's .param files: a list of layers, with their settings, shapes and cost.

Shapes are computed from the file alone, for one picture: (channels, height, width), or fewer axes, without a batch. The meaning
of a setting's number is that of ncnn's own layers (version 1.0.20261020). What is not on the list, or does not go together, is
refused: ncnn trusts its files, and reads beyond its memory where they lie.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from blazeface.files.names import printable
from blazeface.guard import Refused, UnlistedModel
from blazeface.guard.limits import Cost, check_cost
from blazeface.guard.onnx_layers import conv, pool
from blazeface.guard.onnx_values import Known
from blazeface.guard.shape_rules import Shape, axis_of, broadcast, concatenated, whole_number

Settings = dict[int, float | tuple[float, ...]]
Made = tuple[list[Shape], int, int]
"""Shapes that come out, the work, and how many weights are read from the .bin file."""

ARRAY = -23300
"""A setting of the number ARRAY - n is the list n: its length, then its numbers."""

_VALUE = re.compile(r"-?[0-9]{1,10}|(?=.{1,15}$)-?[0-9]+(\.[0-9]*)?(e[+-]?[0-9]{1,2})?")
"""An integer, or a float."""

LEFT_OUT = -233
"""ncnn's own word for a setting that is not given."""

ORDERS = ((2, 1, 0), (1, 2, 0), (2, 0, 1), (0, 2, 1), (1, 0, 2), (0, 1, 2))
"""Permute by its setting 0: which axis of (channels, height, width) becomes width, height, channels."""


def check_ncnn(path: Path, layers: Sequence[str], side: int, stored: int) -> None:
    """Raises UnlistedModel for a layer or a setting that is not on the list, for shapes that do not go together and for a
    cost beyond a face detector's. layers: the file's lines, each of the form that `ncnn_backend` has looked at. side: of
    the input, in pixels. stored: bytes of the .bin file."""
    known: dict[str, Shape] = {}
    work = numbers = largest = weights = 0
    try:
        for line in layers:
            made = _check_layer(line.split(), known, side)
            for shape in made[0]:
                numbers += math.prod(shape)
                largest = max(largest, math.prod(shape))
            work += made[1]
            weights += made[2]
        check_cost(Cost(1, work, numbers, largest))
        if not {"out0", "out1"} <= known.keys():
            raise Refused("a file without the outputs out0 and out1")
        if stored < 2 * weights:
            raise Refused(f"{weights:,} weights, more than {path.with_suffix('.bin').name} holds")
    except (Refused, ValueError, OverflowError) as error:
        raise UnlistedModel(str(path), printable(str(error))) from error


def _check_layer(words: Sequence[str], known: dict[str, Shape], side: int) -> Made:
    """Put the shapes of a layer's outputs into `known`."""
    kind, counts = words[0], (int(words[2]), int(words[3]))
    if kind not in LAYERS:
        raise Refused(f"the layer {kind[:60]!r}")
    (inputs, outputs), numbers, rule = LAYERS[kind]
    for count, right in zip(counts, (inputs, outputs), strict=True):
        if count != right and not (right is None and 1 <= count <= (2 if kind == "BinaryOp" else 64)):
            raise Refused(f"{kind} with {counts[0]} inputs and {counts[1]} outputs")
    taken, given = words[4 : 4 + counts[0]], words[4 + counts[0] : 4 + sum(counts)]
    if not set(taken) <= known.keys() or set(given) & known.keys() or len(set(given)) != len(given):
        raise Refused(f"{kind} that reads what is not made yet, or makes what is there")
    settings = _settings(words[4 + sum(counts) :])
    other = settings.keys() - numbers
    if other:
        raise Refused(f"{kind} with the setting {min(other)}")
    shapes: list[Shape] = [known[name] for name in taken] if kind != "Input" else [(3, side, side)]
    made = rule(shapes, settings)
    results = made[0] * len(given) if kind == "Split" else made[0]
    if len(results) != len(given) or any(min(shape, default=0) < 1 for shape in results):
        raise Refused(f"{kind} of {shapes[0]} into {results}")
    known.update(zip(given, results, strict=True))
    return results, made[1], made[2]


def _settings(words: Sequence[str]) -> Settings:
    """number=value, or ARRAY - number = length, values. A setting that comes twice, or is written as ncnn would not write
    it, is refused."""
    found: Settings = {}
    for word in words:
        name, _, text = word.partition("=")
        number, values = whole_number(name), tuple(_value(part) for part in text.split(","))
        if number in found or ARRAY - number in found:
            raise Refused(f"the setting {number} twice")
        if number <= ARRAY:
            number, values = ARRAY - number, values[1:] if values[0] == len(values) - 1 else ()
            found[number] = values
        elif len(values) == 1 and math.isfinite(values[0]):
            found[number] = values[0]
        else:
            raise Refused(f"the setting {word[:40]!r}")
    return found


def _value(text: str) -> float:
    """ncnn keeps a number with a point as a float and one without as an integer, and reads 15 characters of either."""
    if not _VALUE.fullmatch(text):
        raise Refused(f"the value {text[:40]!r}")
    return float(text) if "." in text or "e" in text else int(text)


def _int(settings: Settings, number: int, default: int, low: int, high: int) -> int:
    value = settings.get(number, default)
    if type(value) is not int or not low <= value <= high:
        raise Refused(f"the setting {number} = {value}")
    return value


def _window(settings: Settings, places: dict[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """Kernel, strides, dilations and pads (top, left, bottom, right), as ONNX's attributes.

    places: the numbers of the settings for height and width, and for the four pads; each falls back on the width's, or the
    left one's."""
    found: dict[str, tuple[int, ...]] = {}
    for name, default, most in (("kernel_shape", 1, 64), ("strides", 1, 16), ("dilations", 1, 16)):
        if name in places:
            high, wide = places[name]
            width = _int(settings, wide, default, 1, most)
            found[name] = (_int(settings, high, width, 1, most), width)
    top, left, bottom, right = places["pads"]
    first = _int(settings, left, 0, 0, 64)
    above = _int(settings, top, first, 0, 64)
    found["pads"] = (above, first, _int(settings, bottom, above, 0, 64), _int(settings, right, first, 0, 64))
    return found


CONVOLUTION = {"kernel_shape": (11, 1), "dilations": (12, 2), "strides": (13, 3), "pads": (14, 4, 16, 15)}
POOLING = {"kernel_shape": (11, 1), "strides": (12, 2), "pads": (13, 3, 15, 14)}


def _chw(shapes: Sequence[Shape]) -> Shape:
    if len(shapes[0]) != 3:
        raise Refused(f"a layer for (channels, height, width) of {shapes[0]}")
    return shapes[0]


def _convolution(shapes: Sequence[Shape], settings: Settings) -> Made:
    x = _chw(shapes)
    attributes = _window(settings, CONVOLUTION)
    kernel = attributes.pop("kernel_shape")
    filters, group = _int(settings, 0, 0, 1, 1 << 16), _int(settings, 7, 1, 1, 1 << 16)
    if x[0] % group or filters % group:
        raise Refused(f"a convolution of {x} with {filters} filters in {group} groups")
    weights = (filters, x[0] // group, *kernel)
    if _int(settings, 6, 0, 1, 1 << 26) != math.prod(weights):
        raise Refused(f"a convolution of {x} whose weights are not {weights}")
    if not isinstance(settings.get(10, ()), tuple):
        raise Refused("a convolution whose activation has no list of numbers")
    (result,), work = conv([Known((1, *x)), Known(weights)], {**attributes, "group": group})
    return [result.shape[1:]], work, math.prod(weights)


def _pooling(shapes: Sequence[Shape], settings: Settings) -> Made:
    x = _chw(shapes)
    if _int(settings, 4, 0, 0, 1):  # over the whole picture
        return [x[:1]], math.prod(x), 0
    up = _int(settings, 5, 0, 0, 1) == 0  # 0: the last window may hang over the edge
    (result,), work = pool([Known((1, *x))], {**_window(settings, POOLING), "ceil_mode": int(up)})
    return [result.shape[1:]], work, 0


def _padding(shapes: Sequence[Shape], settings: Settings) -> Made:
    channels, height, width = _chw(shapes)
    top, bottom, left, right = (_int(settings, number, 0, 0, 64) for number in range(4))
    _int(settings, 4, 0, 0, 0)
    _int(settings, 6, 0, 0, 0)
    channels += _int(settings, 7, 0, 0, 1 << 12) + _int(settings, 8, 0, 0, 1 << 12)
    return _whole((channels, height + top + bottom, width + left + right))


def _permute(shapes: Sequence[Shape], settings: Settings) -> Made:
    x = _chw(shapes)
    width, height, channels = (x[axis] for axis in ORDERS[_int(settings, 0, 0, 0, 5)])
    return _whole((channels, height, width))


def _reshape(shapes: Sequence[Shape], settings: Settings) -> Made:
    size = math.prod(shapes[0])
    wanted = [_int(settings, number, LEFT_OUT, LEFT_OUT, 1 << 26) for number in (2, 1, 0)]
    sides = [side for side in wanted if side != LEFT_OUT]
    if sides.count(-1) == 1:
        rest = math.prod(side for side in sides if side != -1)
        sides[sides.index(-1)] = size // rest if rest > 0 else 0
    if wanted[-1] == LEFT_OUT or min(sides) < 1 or math.prod(sides) != size or wanted[1] == LEFT_OUT != wanted[0]:
        raise Refused(f"Reshape of {shapes[0]} to {wanted}")
    return _whole(tuple(sides))


def _concat(shapes: Sequence[Shape], settings: Settings) -> Made:
    return _whole(concatenated(shapes, _int(settings, 0, 0, -3, 2)))


def _slice(shapes: Sequence[Shape], settings: Settings) -> Made:
    x, parts = shapes[0], settings.get(0, ())
    axis = axis_of(_int(settings, 1, 0, -3, 2), len(x))
    if not isinstance(parts, tuple) or not parts or any(part != int(part) or part == 0 for part in parts):
        raise Refused("Slice without the sizes of its parts")
    sizes = [int(part) for part in parts]
    if sizes[-1] == LEFT_OUT:
        sizes[-1] = x[axis] - sum(sizes[:-1])
    if min(sizes) < 1 or sum(sizes) != x[axis]:
        raise Refused(f"Slice of {x} into {sizes}")
    return [(*x[:axis], size, *x[axis + 1 :]) for size in sizes], math.prod(x), 0


def _binary(shapes: Sequence[Shape], settings: Settings) -> Made:
    _int(settings, 0, 0, 0, 11)
    scalar = _int(settings, 1, 0, 0, 1)
    if (len(shapes) == 1) != bool(scalar) or len({len(shape) for shape in shapes}) != 1:
        raise Refused(f"BinaryOp of {' and '.join(map(str, shapes))}")
    return _whole(broadcast(shapes))


def _eltwise(shapes: Sequence[Shape], settings: Settings) -> Made:
    if len(shapes) < 2 or len(set(shapes)) != 1 or _int(settings, 0, 0, 0, 2) or settings.get(1, ()):
        raise Refused("Eltwise of one input, of other than equal shapes, or with factors")
    return _whole(shapes[0])


def _interp(shapes: Sequence[Shape], settings: Settings) -> Made:
    channels, *sides = _chw(shapes)
    _int(settings, 0, 0, 1, 2)
    _int(settings, 5, 0, 0, 0)
    found = []
    for side, scale, size in ((sides[0], 1, 3), (sides[1], 2, 4)):
        factor, told = settings.get(scale, 1.0), _int(settings, size, 0, 0, 1 << 14)
        if type(factor) is not float or not 0 < factor <= 16:
            raise Refused(f"Interp by {factor}")
        found.append(told or math.floor(side * factor))
    shape = (channels, *found)
    return [shape], 4 * math.prod(shape), 0


def _product(shapes: Sequence[Shape], settings: Settings) -> Made:
    filters = _int(settings, 0, 0, 1, 1 << 16)
    size = math.prod(shapes[0])
    if len(shapes[0]) != 1 or _int(settings, 2, 0, 1, 1 << 26) != filters * size:
        raise Refused(f"InnerProduct of {shapes[0]} whose weights do not fit")
    return [(filters,)], filters * size, filters * size


def _shuffle(shapes: Sequence[Shape], settings: Settings) -> Made:
    if _chw(shapes)[0] % _int(settings, 0, 1, 1, 1 << 16):
        raise Refused(f"ShuffleChannel of {shapes[0]}")
    return _whole(shapes[0])


def _prelu(shapes: Sequence[Shape], settings: Settings) -> Made:
    count = _int(settings, 0, 0, 1, 1 << 16)
    if count not in (1, shapes[0][0]):
        raise Refused(f"PReLU of {shapes[0]} with {count} slopes")
    return [shapes[0]], math.prod(shapes[0]), count


def _softmax(shapes: Sequence[Shape], settings: Settings) -> Made:
    axis_of(_int(settings, 0, 0, -3, 2), len(shapes[0]))
    return _whole(shapes[0])


def _flatten(shapes: Sequence[Shape], settings: Settings) -> Made:
    return _whole((math.prod(shapes[0]),))


def _same(shapes: Sequence[Shape], settings: Settings) -> Made:
    return _whole(shapes[0])


def _whole(shape: Shape) -> Made:
    return [shape], math.prod(shape), 0


Rule = Callable[[Sequence[Shape], Settings], Made]
LAYERS: dict[str, tuple[tuple[int | None, int | None], frozenset[int], Rule]] = {
    kind: (arity, frozenset(numbers), rule)
    for kind, arity, numbers, rule in (
        ("Input", (0, 1), (0, 1, 2), _same),
        ("Split", (1, None), (), _same),
        ("Convolution", (1, 1), (0, 1, 2, 3, 4, 5, 6, 9, 10, 11, 12, 13, 14, 15, 16), _convolution),
        ("ConvolutionDepthWise", (1, 1), (0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16), _convolution),
        ("InnerProduct", (1, 1), (0, 1, 2, 9, 10), _product),
        ("Pooling", (1, 1), (0, 1, 2, 3, 4, 5, 6, 11, 12, 13, 14, 15), _pooling),
        ("Padding", (1, 1), (0, 1, 2, 3, 4, 5, 6, 7, 8), _padding),
        ("Permute", (1, 1), (0,), _permute),
        ("Reshape", (1, 1), (0, 1, 2), _reshape),
        ("Flatten", (1, 1), (), _flatten),
        ("ShuffleChannel", (1, 1), (0, 1), _shuffle),
        ("Interp", (1, 1), (0, 1, 2, 3, 4, 5, 6), _interp),
        ("Slice", (1, None), (0, 1), _slice),
        ("Concat", (None, 1), (0,), _concat),
        ("Eltwise", (None, 1), (0, 1), _eltwise),
        ("BinaryOp", (None, 1), (0, 1, 2), _binary),
        ("UnaryOp", (1, 1), (0,), _same),
        ("PReLU", (1, 1), (0,), _prelu),
        ("Softmax", (1, 1), (0, 1), _softmax),
        ("ReLU", (1, 1), (0,), _same),
        ("Clip", (1, 1), (0, 1), _same),
        ("HardSwish", (1, 1), (0, 1), _same),
        ("HardSigmoid", (1, 1), (0, 1), _same),
        ("Sigmoid", (1, 1), (), _same),
        ("Dropout", (1, 1), (0,), _same),
        ("Noop", (1, 1), (), _same),
    )
}
"""By kind: how many blobs go in and come out (None: one or more), which settings may be there, and what comes out."""

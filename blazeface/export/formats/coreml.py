"""Core ML: an .mlpackage for Xcode, that takes a picture and not a tensor."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import shutil
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from blazeface.decode import sigmoid
from blazeface.errors import BlazeFaceError
from blazeface.export.format_table import Options
from blazeface.export.formats.coreml_program import coremltools, run_program
from blazeface.export.parity import LIMITS
from blazeface.export.pictures import synthetic_pictures
from blazeface.geometry import letterbox_image
from blazeface.models.network import BlazeFace
from blazeface.models.origin import ORIGIN_KEY
from blazeface.spec import METADATA_KEY, ModelSpec
from blazeface.version import __version__

SPACE = uuid.UUID("7c4f4b0e-5a35-4e0a-9a59-0d6f3c2b7a11")
"""The package's parts are named by identifiers; drawn from this one, they are the same each time."""

OUTPUTS = ("logits", "regressions")


def write(network: BlazeFace, path: Path, options: Options) -> None:
    """See `formats`. For iOS 15 and macOS 12 or later. Input "image", an RGB picture of S x S, which Core ML itself
    scales to (value - mean) / std; outputs "logits" (1, A) and "regressions" (1, A, 4 + 2K), float32; the ModelSpec in
    the user-defined metadata. float16: weights and arithmetic."""
    spec = network.spec
    side = spec.input_size
    kind = coremltools.precision.FLOAT16 if options.precision == "float16" else coremltools.precision.FLOAT32
    with _quiet():
        program = torch.export.export(network, (torch.zeros(1, 3, side, side),)).run_decompositions({})
        model = coremltools.convert(
            program,
            inputs=[
                coremltools.ImageType(
                    name="image",
                    shape=(1, 3, side, side),
                    scale=1 / spec.std,
                    bias=[-spec.mean / spec.std] * 3,
                    color_layout=coremltools.colorlayout.RGB,
                )
            ],
            outputs=[coremltools.TensorType(name=name, dtype=np.float32) for name in OUTPUTS],
            convert_to="mlprogram",
            minimum_deployment_target=coremltools.target.iOS15,
            compute_precision=kind,
        )
        model.short_description = f"BlazeFace {spec.name}: logits and regressions of {spec.num_anchors} anchors"
        model.author, model.version = "blazeface", __version__
        for key in [key for key in model.user_defined_metadata if key.endswith("conversion_date")]:
            del model.user_defined_metadata[key]
        model.user_defined_metadata[METADATA_KEY] = spec.to_json()
        if network.origin:
            model.user_defined_metadata[ORIGIN_KEY] = network.origin.to_json()
            model.license = network.origin.licence
        model.save(str(path))
    _make_repeatable(path)


def check(network: BlazeFace, path: Path, options: Options) -> str:
    """See `formats`. Core ML runs on Apple's devices only, so the program in the package is read back and computed by
    PyTorch, operator by operator, on made-up pictures."""
    spec = network.spec
    manifest = (path / "Manifest.json").read_bytes()
    with _quiet():
        model = coremltools.models.MLModel(str(path), skip_model_load=True)
        description = model.get_spec().description
    (path / "Manifest.json").write_bytes(
        manifest
    )  # reading it, the library writes it again in an order of its own
    _check_description(description, spec)
    pictures = [letterbox_image(picture, spec.input_size, spec.resampling)[0] for picture in synthetic_pictures(4)]
    largest = 0.0
    for picture in pictures:
        planes = torch.from_numpy(picture[None, :, :, ::-1].transpose(0, 3, 1, 2).astype(np.float32))
        with torch.inference_mode():
            logits, regressions = network.eval()((planes - spec.mean) / spec.std)
        found = run_program(model, {"image": planes})
        gaps = (
            np.abs(sigmoid(logits.numpy()) - sigmoid(found["logits"].numpy())).max(),
            (regressions - found["regressions"]).abs().max().item() / spec.decode_scale,
        )
        if not all(np.isfinite(gaps)):
            raise BlazeFaceError("its program gives values that are not finite")
        largest = max(largest, *map(float, gaps))
    limit = LIMITS[options.precision].largest
    if limit is not None and largest > limit:
        raise BlazeFaceError(f"its program and PyTorch differ by {largest:.1e}, more than {limit:.0e}")
    return (
        f"Core ML does not run here. Read back, the package takes an RGB picture of {spec.input_size} x"
        f" {spec.input_size} and carries its ModelSpec; its program, computed by PyTorch operator by operator on"
        f" {len(pictures)} made-up pictures, differs from the network by at most {largest:.1e}"
    )


def _check_description(description: Any, spec: ModelSpec) -> None:
    """Check the names, types and shapes of inputs and outputs, on which an app relies."""
    found = {
        "inputs": [
            (entry.name, entry.type.WhichOneof("Type"), entry.type.imageType.width, entry.type.imageType.height)
            for entry in description.input
        ],
        "colours": [entry.type.imageType.colorSpace for entry in description.input],
        "outputs": [(entry.name, list(entry.type.multiArrayType.shape)) for entry in description.output],
        "spec": description.metadata.userDefined.get(METADATA_KEY),
    }
    rgb = coremltools.proto.FeatureTypes_pb2.ImageFeatureType.ColorSpace.Value("RGB")
    expected = {
        "inputs": [("image", "imageType", spec.input_size, spec.input_size)],
        "colours": [rgb],
        "outputs": [
            ("logits", [1, spec.num_anchors]),
            ("regressions", [1, spec.num_anchors, spec.num_coords]),
        ],
        "spec": spec.to_json(),
    }
    for name, value in expected.items():
        if found[name] != value:
            raise BlazeFaceError(f"its description has {name} {found[name]}, not {value}")


def _make_repeatable(path: Path) -> None:
    """Identifiers that do not change from export to export, and none of the files that Core ML does not read."""
    manifest = json.loads((path / "Manifest.json").read_text("utf-8"))
    names = {key: str(uuid.uuid5(SPACE, entry["path"])) for key, entry in manifest["itemInfoEntries"].items()}
    entries = {names[key]: entry for key, entry in manifest["itemInfoEntries"].items()}
    manifest["itemInfoEntries"] = dict(sorted(entries.items()))
    manifest["rootModelIdentifier"] = names[manifest["rootModelIdentifier"]]
    (path / "Manifest.json").write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n", "utf-8")
    for entry in path.iterdir():
        if entry.name not in ("Data", "Manifest.json"):
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """coremltools draws progress bars, and warns of versions of PyTorch that it was not tested with."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)

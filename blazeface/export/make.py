"""Exports a network in a format, and verifies the file against PyTorch before it gets its name."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from blazeface.backends import open_backend
from blazeface.errors import BlazeFaceError
from blazeface.export.format_table import FORMATS, Options, check_options, load_format, missing
from blazeface.export.labelled import LabelledSet
from blazeface.export.parity import LIMITS, Limit, ParityReport, check_parity
from blazeface.export.staging import staging_folder
from blazeface.export.verify import inference_copy
from blazeface.geometry import Image
from blazeface.models.network import BlazeFace
from blazeface.version import __version__

PACKAGES = {"onnxruntime": "onnxruntime", "LiteRT": "ai-edge-litert", "OpenVINO": "openvino", "ncnn": "ncnn"}
"""The package behind each runtime, for its version in the report."""


def export_network(
    network: BlazeFace,
    path: Path,
    name: str,
    options: Options,
    pictures: Sequence[Image],
    labelled: LabelledSet | None = None,
    limit: Limit | None = None,
    report: bool = True,
) -> ParityReport:
    """Write a network in a format of FORMATS, once its runtime has given the same answers as PyTorch.

    pictures: at least one, BGR uint8 (H, W, 3), real ones where they are at hand. labelled: labelled pictures, on which
    AP is compared as well. limit: of the precision by default. report: also write FILE.report.json. The file, its
    companions and its report appear whole or not at all.

    Raises BlazeFaceError, and writes nothing, for options that the format does not have, a package that is
    missing, answers that differ by more than the limit, and a place that cannot be written.
    """
    check_options(name, options)
    refuse_shared_weights(path)
    kind, module = FORMATS[name], load_format(name)
    limit = limit or LIMITS[options.precision]
    plain = inference_copy(network)
    with staging_folder(path) as part:
        try:
            module.write(plain.folded(), part, options)
        except ImportError as error:
            raise missing(name, error) from error
        except BlazeFaceError as error:
            raise BlazeFaceError(f"{path}: not written: {error}") from error
        if kind.backend is None:
            parity = ParityReport(checked=module.check(plain, part, options))
        elif options.nms:
            parity = module.check_nms_parity(plain, part, list(pictures), options, labelled)
        else:
            run = open_backend(part, kind.backend, threads=1).run
            parity = check_parity(plain, run, list(pictures), options, labelled, kind.runtime)
        faults = parity.faults(limit)
        if faults:
            raise BlazeFaceError(f"{path}: not written: {kind.runtime}: {'; '.join(faults)}")
        if report:
            about = _about(plain, part, name, options, limit) | parity.as_dict()
            part.with_name(f"{part.name}.report.json").write_text(
                json.dumps(about, indent=2) + "\n", encoding="utf-8"
            )
    return parity


def refuse_shared_weights(path: Path) -> None:
    """Raise BlazeFaceError where the weights of a file would take the place of another format's: NAME.bin belongs to NAME.xml or
    to NAME.param."""
    others = {".xml": ".param", ".param": ".xml"}
    other = path.with_suffix(others.get(path.suffix, path.suffix))
    if other != path and other.exists():
        weights = path.with_suffix(".bin").name
        raise BlazeFaceError(
            f"{path}: not written: {weights} beside it belongs to {other.name}: choose another name"
        )


def file_size(path: Path) -> int:
    """Bytes of a model: of its file and its companions of the same stem, or of all that its folder holds."""
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    companions = [path.with_suffix(suffix) for suffix in (path.suffix, ".bin")]
    return sum(file.stat().st_size for file in companions if file.is_file())


def _about(network: BlazeFace, part: Path, name: str, options: Options, limit: Limit) -> dict[str, Any]:
    kind = FORMATS[name]
    return {
        "file": part.name,
        "bytes": file_size(part),
        "sha256": hashlib.sha256(part.read_bytes()).hexdigest() if part.is_file() else None,
        "model": network.spec.name,
        "format": name,
        "precision": options.precision,
        "batch": options.batch or "dynamic",
        "decode": options.decode,
        "nms": options.nms,
        "shape": "dynamic" if options.free_shape else "square",
        "opset": options.opset,
        "origin": asdict(network.origin),
        "calibration_pictures": len(options.calibration),
        "blazeface": __version__,
        "runtime": f"{kind.runtime} {_version(kind.runtime)}".strip(),
        "limits": {"largest": limit.largest, "ap": limit.ap, "columns": list(limit.columns)},
    }


def _version(runtime: str) -> str:
    try:
        return version(PACKAGES.get(runtime, runtime))
    except PackageNotFoundError:
        return ""

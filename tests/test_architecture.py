"""Imports point one way, and the house is what docs/architecture.md says."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "blazeface"

CORE = {
    "errors",
    "no_telemetry",
    "version",
    "spec",
    "detections",
    "geometry",
    "anchors",
    "decode",
    "blend",
    "crop",
    "search",
    "files",
}
DETECTOR = CORE | {"backends", "detector"}
ALLOWED = {
    "guard": CORE | {"guard", "tflite"},
    "backends": CORE | {"backends", "guard", "models", "tflite"},
    "detector": CORE | {"backends"},
    "refine": CORE | {"backends"},
    "tflite": CORE | {"tflite", "inspection"},
    "inspection": CORE | {"inspection", "tflite"},
    "models": CORE | {"models", "tflite"},
    "data": CORE | {"data"},
    "evaluation": DETECTOR | {"evaluation", "data"},
    "export": DETECTOR | {"export", "models", "tflite", "refine", "data", "evaluation"},
    "training": DETECTOR | {"training", "data", "models", "evaluation", "export"},
    "sources": CORE | {"sources"},
    "tracking": DETECTOR | {"tracking"},
    "privacy": DETECTOR | {"privacy", "sources", "tracking"},
    "sinks": CORE | {"sinks", "sources", "privacy"},
    "options": CORE | {"privacy"},
    "pipeline": DETECTOR | {"options", "sources", "tracking", "privacy", "sinks"},
    "batch": DETECTOR | {"batch", "options", "sources", "sinks"},
    "benchmark": DETECTOR | {"benchmark"},
    "web": DETECTOR | {"web"},
    "cli": DETECTOR
    | {
        "__init__",
        "batch",
        "benchmark",
        "cli",
        "data",
        "evaluation",
        "export",
        "inspection",
        "models",
        "options",
        "pipeline",
        "privacy",
        "refine",
        "sinks",
        "sources",
        "tflite",
        "tracking",
        "training",
        "web",
    },
    "__init__": DETECTOR | {"privacy", "refine", "sinks", "tracking"},
    "__main__": {"cli"},
}
"""Which rooms each room may import."""

DETECTING = DETECTOR | {
    "guard",
    "__init__",
    "__main__",
    "refine",
    "sources",
    "tracking",
    "privacy",
    "sinks",
    "options",
    "pipeline",
    "batch",
}
DETECTING_COMMANDS = {
    "cli/__init__.py",
    "cli/main.py",
    "cli/parser.py",
    "cli/interrupt.py",
    "cli/detect/__init__.py",
    "cli/detect/flags.py",
    "cli/detect/plan.py",
    "cli/detect/covers.py",
    "cli/detect/batch.py",
    "cli/search_flag.py",
}
TRAINING = {f"blazeface.{room}" for room in ("models", "data", "training", "evaluation", "export", "tflite")}
OPTIONAL = {
    "detections/faces.py": {"supervision"},
    "backends/torch_backend.py": {"torch", "blazeface.models"},
    "backends/tflite_backend.py": {"ai_edge_litert", "blazeface.tflite"},
    "guard/tflite_check.py": {"blazeface.tflite"},
    "backends/openvino_backend.py": {"openvino"},
    "backends/ncnn_backend.py": {"ncnn"},
    "files/heif.py": {"pi_heif", "pillow_heif"},
    "sources/av_reader.py": {"av"},
    "sinks/av_writer.py": {"av"},
    "sources/audio.py": {"av"},
    "batch/ray_pool.py": {"ray"},
}
"""What single files of the detection side need beyond the core packages; they are imported when asked for."""
LIBRARIES = {"numpy", "cv2", "onnxruntime", "tqdm"} | sys.stdlib_module_names


def detection_side() -> list[Path]:
    """The files that run when faces are looked for."""
    return [
        path
        for path in sorted(PACKAGE.rglob("*.py"))
        for relative in [path.relative_to(PACKAGE)]
        if relative.parts[0].removesuffix(".py") in DETECTING or relative.as_posix() in DETECTING_COMMANDS
    ]


def modules_imported(path: Path) -> set[str]:
    """The modules a file imports, wherever in it: "torch", "blazeface.geometry"."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            names |= (
                {str(node.module)} if node.module != "blazeface" else {f"blazeface.{a.name}" for a in node.names}
            )
    return names


def rooms_imported(path: Path) -> set[str]:
    """The rooms of the package that a file imports, wherever in the file."""
    rooms = set()
    for name in modules_imported(path):
        parts = name.split(".")
        if parts[0] == "blazeface":
            known = len(parts) > 1 and ((PACKAGE / parts[1]).is_dir() or (PACKAGE / f"{parts[1]}.py").exists())
            rooms.add(parts[1] if known else "__init__")
    return rooms


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_one_way(path: Path) -> None:
    relative = path.relative_to(PACKAGE)
    room = relative.parts[0].removesuffix(".py")
    allowed = CORE if room in CORE else ALLOWED[room]
    assert rooms_imported(path) <= allowed


@pytest.mark.parametrize("path", detection_side(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_the_detection_side_needs_the_core_packages_only(path: Path) -> None:
    also = OPTIONAL.get(path.relative_to(PACKAGE).as_posix(), set())
    for name in modules_imported(path):
        ours = name.startswith("blazeface")
        room = ".".join(name.split(".")[:2])
        assert name.split(".")[0] in LIBRARIES | also or (ours and room not in TRAINING) or room in also, name


def test_detecting_loads_neither_torch_nor_albumentations() -> None:
    program = (
        "import sys, blazeface.cli.detect, blazeface.sinks.window, blazeface.backends.onnx_backend\n"
        "print(sorted({name.split('.')[0] for name in sys.modules}"
        " & {'torch', 'albumentations', 'matplotlib', 'safetensors', 'onnx', 'av'}))\n"
        "print(sorted(name for name in sys.modules if name.startswith(('blazeface.models', 'blazeface.data', 'blazeface.training'))))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines() == ["[]", "[]"]


def test_the_map_names_every_room() -> None:
    text = (PACKAGE.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
    for entry in PACKAGE.iterdir():
        if entry.is_dir() and entry.name != "__pycache__":
            assert f"`{entry.name}/`" in text, entry.name


def test_files_stay_short() -> None:
    lengths = sorted(len(path.read_text(encoding="utf-8").splitlines()) for path in PACKAGE.rglob("*.py"))
    assert lengths[-1] <= 450
    assert lengths[len(lengths) // 2] <= 130


def test_the_tflite_format_is_known_in_one_room() -> None:
    knowing = {
        path.relative_to(PACKAGE).parts[0]
        for path in PACKAGE.rglob("*.py")
        for name in modules_imported(path)
        if name.split(".")[0] == "flatbuffers" or (name.startswith("ai_edge_litert") and "schema" in name)
    }
    assert knowing == {"tflite"}
    text = "".join(path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))
    assert "schema_py_generated" not in text  # it trusts every offset in a file


def test_views_are_cut_out_by_one_set_of_functions() -> None:
    words = ("cv2.warp", "cv2.remap", "cv2.getPerspective", "cv2.getAffine", "cv2.getRotation")
    warping = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if any(word in path.read_text(encoding="utf-8") for word in words)
    }
    assert warping == {"geometry.py"}


def test_no_room_is_crowded() -> None:
    for folder in (
        PACKAGE,
        *(path for path in PACKAGE.rglob("*") if path.is_dir() and path.name != "__pycache__"),
    ):
        assert len([path for path in folder.glob("*.py") if path.name != "__init__.py"]) <= 16, folder


def test_no_two_files_import_each_other() -> None:
    files = {module_name(path): path for path in PACKAGE.rglob("*.py")}
    imports = {name: files_imported(path, set(files)) - {name} for name, path in files.items()}
    assert [(a, b) for a in imports for b in imports[a] if a < b and a in imports[b]] == []


def module_name(path: Path) -> str:
    parts = ("blazeface", *path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts).removesuffix(".__init__")


def files_imported(path: Path, files: set[str]) -> set[str]:
    """Those of `files` that a file imports: `from blazeface.inspection import macs` is blazeface.inspection.macs."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            longer = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= {name if name in files else str(node.module) for name in longer}
    return names & files

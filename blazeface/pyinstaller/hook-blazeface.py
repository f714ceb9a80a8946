"""PyInstaller's hook: weights and cards, and the modules that are imported by name, which it cannot see."""

from PyInstaller.utils.hooks import collect_data_files, collect_submodules

DETECTING = ("backends", "detections", "files", "guard", "privacy", "sinks", "sources", "tracking")
"""Rooms whose modules are imported lazily, by name."""

datas = collect_data_files("blazeface", includes=["weights/*", "py.typed"])
hiddenimports = ["blazeface.detector", "blazeface.refine", "blazeface.search", "blazeface.spec"]
for room in DETECTING:
    hiddenimports += collect_submodules(f"blazeface.{room}", on_error="ignore")
# What an optional runtime would bring must not be dragged in by its backend.
excludedimports = ["torch", "albumentations", "matplotlib", "ray", "coremltools"]

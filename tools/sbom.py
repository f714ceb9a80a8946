"""A release's bill of materials in CycloneDX 1.6: the package, what it needs and may need, and the models in it."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from reliability.licences import listed
from reliability.lock import canonical, stanzas_of

CORE = "core.lock"
RESEARCH = "for research only: see the model card"
MODELS = (".onnx", ".safetensors", ".tflite")


def bill(root: Path, version: str, wheel: Path, seconds: int) -> str:
    """JSON text. root: the checkout. wheel: the file that is described. seconds: since 1970, when it was made.

    Packages are those of requirements/*.lock, at the versions that were tested; those of core.lock are required, the
    others optional, since an extra, the tests or the documentation ask for them. The same input gives the same text.
    """
    name = f"pkg:generic/blazeface@{version}"  # the package index may know another project by this name
    core, others = packages(root / "requirements")
    models = [model(path) for path in sorted((root / "blazeface" / "weights").iterdir()) if path.suffix in MODELS]
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = {canonical(re.split(r"[<>=!~\[; ]", need)[0]) for need in project["dependencies"]}
    digest = sha256(wheel)
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, digest)}",
        "version": 1,
        "metadata": {
            "timestamp": datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {
                "type": "library",
                "bom-ref": name,
                "name": "blazeface",
                "version": version,
                "description": project["description"],
                "licenses": [{"expression": project["license"]}],
                "purl": name,
                "hashes": [{"alg": "SHA-256", "content": digest}],
            },
        },
        "components": [*core, *others, *models],
        "dependencies": [
            {
                "ref": name,
                "dependsOn": sorted(
                    [one["bom-ref"] for one in core if one["name"] in needed] + [one["bom-ref"] for one in models]
                ),
            },
            *({"ref": one["bom-ref"]} for one in (*core, *others, *models)),
        ],
    }
    return json.dumps(document, indent=1) + "\n"


def packages(folder: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What the core needs, and what else is locked."""
    licences = listed(folder / "licences.txt")
    core = versions(folder / CORE)
    others: dict[str, str] = {}
    for lock in sorted(folder.glob("*.lock")):
        if lock.name != CORE:
            others |= {
                name: number.removesuffix("+cpu") for name, number in versions(lock).items() if name not in core
            }
    return (
        list(components(core.items(), "required", licences)),
        list(components(sorted(others.items()), "optional", licences)),
    )


def versions(lock: Path) -> dict[str, str]:
    stanzas = stanzas_of(lock.read_text(encoding="utf-8"))
    return {name: stanza.split("==")[1].split()[0] for name, stanza in stanzas.items()}


def components(
    pins: Iterable[tuple[str, str]], scope: str, licences: Mapping[str, str]
) -> Iterable[dict[str, Any]]:
    for name, number in pins:
        address = f"pkg:pypi/{name}@{number}"
        yield {
            "type": "library",
            "bom-ref": address,
            "name": name,
            "version": number,
            "scope": scope,
            "licenses": [{"expression": licences[name]}],
            "purl": address,
        }


def model(path: Path) -> dict[str, Any]:
    """A file of weights."""
    return {
        "type": "machine-learning-model",
        "bom-ref": f"model:{path.name}",
        "name": path.name,
        "scope": "required",
        "hashes": [{"alg": "SHA-256", "content": sha256(path)}],
        "licenses": [{"license": {"name": RESEARCH}}],
    }


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()

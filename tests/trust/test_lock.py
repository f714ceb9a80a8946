"""The locks with hashes follow constraints.txt, name all that is needed, and their licences are known."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest

from reliability import audit, licences
from reliability.lock import EXTRAS, FOLDER, OTHER_LOCKS, UNLISTED, canonical, pinned, stanzas_of

LOCKS = ("core", "dev", "docs", "torch", "torch-cpu", "cuda", "formats")


def locked(name: str) -> dict[str, str]:
    return stanzas_of((FOLDER / f"{name}.lock").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", LOCKS)
def test_each_package_has_a_version_and_hashes(name: str) -> None:
    for package, stanza in locked(name).items():
        version, *hashes = stanza.split(" \\\n    ")
        assert re.fullmatch(r"[\w.-]+==[\w.+]+( ; .+)?", version), version
        assert hashes and all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", line) for line in hashes), package


@pytest.mark.parametrize("name", ["core", "dev", "docs", "torch", "torch-cpu", "formats"])
def test_versions_are_those_of_the_constraints(name: str) -> None:
    found = {
        package: stanza.split("==")[1].split()[0].removesuffix("+cpu") for package, stanza in locked(name).items()
    }
    pins = pinned()
    assert found and found == {package: pins[package] for package in found}


@pytest.mark.parametrize("name", ["core", "dev", "docs", "formats"])
def test_nothing_is_asked_for_that_is_not_locked(name: str) -> None:
    """Locks are installed without what their packages ask for, so all of it has to be in them."""
    from packaging.requirements import Requirement

    names = set(locked(name))
    missing, looked_at = set(), 0
    for package in sorted(names - set(UNLISTED)):
        try:
            wanted = [Requirement(text) for text in requires(package) or ()]
        except PackageNotFoundError:
            continue
        looked_at += 1
        asked = {canonical(one.name) for one in wanted if one.marker is None or one.marker.evaluate({"extra": ""})}
        missing |= {(package, one) for one in asked - names - set(OTHER_LOCKS)}
    assert looked_at > 5 and not missing


@pytest.mark.parametrize("name", ["core", "dev", "docs", "formats"])
@pytest.mark.parametrize(
    ("system", "machine"),
    [("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64"), ("win32", "AMD64")],
)
@pytest.mark.parametrize("python", ["3.11", "3.13"])
def test_nothing_is_asked_for_on_another_platform_that_is_not_locked_for_it(
    python: str, system: str, machine: str, name: str
) -> None:
    """By what the installed packages say that they ask for under the conditions of that platform. `python -m reliability.lock
    --check` asks the files of the platform itself."""
    from packaging.markers import Marker
    from packaging.requirements import Requirement

    environment = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "implementation_version": f"{python}.0",
        "sys_platform": system,
        "platform_machine": machine,
        "platform_system": {"linux": "Linux", "darwin": "Darwin", "win32": "Windows"}[system],
        "os_name": "nt" if system == "win32" else "posix",
        "extra": "",
    }

    def holds(marker: Marker | None) -> bool:
        return marker is None or marker.evaluate(environment)

    there = set()
    for package, stanza in locked(name).items():
        marker = stanza.split(" \\\n")[0].partition(" ; ")[2]
        if holds(Marker(marker) if marker else None):
            there.add(package)
    looked_at = 0
    for package in sorted(there - set(UNLISTED)):
        try:
            wanted = [Requirement(text) for text in requires(package) or ()]
        except PackageNotFoundError:
            continue
        looked_at += 1
        asked = {canonical(one.name) for one in wanted if holds(one.marker)}
        assert asked <= there | set(OTHER_LOCKS), f"{package} asks for {asked - there - set(OTHER_LOCKS)}"
    assert looked_at > 5


@pytest.mark.parametrize("name", list(EXTRAS))
def test_all_that_an_extra_asks_for_is_locked(name: str) -> None:
    from packaging.requirements import Requirement

    project = tomllib.loads((FOLDER.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted: list[Requirement] = [Requirement(text) for text in project["dependencies"]]
    waiting = list(EXTRAS[name])
    while waiting:
        for requirement in map(Requirement, project["optional-dependencies"][waiting.pop()]):
            waiting += requirement.extras if requirement.name == "blazeface" else []
            wanted += [] if requirement.name == "blazeface" else [requirement]
    names = {canonical(requirement.name) for requirement in wanted} - set(OTHER_LOCKS)
    assert len(names) >= 4 and names <= locked(name).keys()


def test_files_of_other_machines_are_in_the_locks() -> None:
    """NumPy comes as a file for each system and Python: the lock that one machine could not share had one."""
    assert locked("core")["numpy"].count("--hash=") > 20


def test_a_lock_is_read_package_by_package() -> None:
    text = (
        "# said by\nA_b==1 ; sys_platform == 'win32' \\\n    --hash=sha256:aa\nc.d==2 \\\n    --hash=sha256:bb\n"
    )
    found = stanzas_of(text)
    assert found == {
        "a-b": "A_b==1 ; sys_platform == 'win32' \\\n    --hash=sha256:aa",
        "c-d": "c.d==2 \\\n    --hash=sha256:bb",
    }


def test_licences_of_all_that_is_locked_are_listed_and_allowed(capsys: pytest.CaptureFixture[str]) -> None:
    assert licences.main() == 0, capsys.readouterr().out


def test_a_licence_that_is_not_allowed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = licences.LIST.read_text(encoding="utf-8").replace("tqdm | MPL-2.0 AND MIT", "tqdm | GPL-3.0-only")
    other = tmp_path / "licences.txt"
    other.write_text(text.replace("colorama | BSD-3-Clause\n", ""), encoding="utf-8")
    monkeypatch.setattr(licences, "LIST", other)
    assert licences.main() == 1
    said = capsys.readouterr().out
    assert "tqdm: GPL-3.0-only is not allowed in core.lock" in said
    assert "tqdm: says MPL-2.0 AND MIT, listed as GPL-3.0-only" in said
    assert "colorama: in core.lock, but not in licences.txt" in said


def test_what_could_not_be_audited_is_named_and_the_rest_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """pip-audit breaks off as a whole where one package's advisories cannot be had."""

    def ask(pins: list[str]) -> list[dict[str, object]] | None:
        if len(pins) > 1 or pins[0].startswith("numpy"):
            return None
        name, version = pins[0].split("==")
        vulns = [{"id": "PYSEC-1", "fix_versions": ["9"]}] if name == "av" else []
        return [{"name": name, "version": version, "vulns": vulns}]

    monkeypatch.setattr(audit, "ask", ask)
    assert audit.main() == 1
    said = capsys.readouterr().out.splitlines()
    assert said[0] == f"av {pinned()['av']}: PYSEC-1, mended in 9"
    assert said[1] == f"numpy=={pinned()['numpy']}: not audited: the advisories could not be reached"
    assert said[2].endswith("1 vulnerabilities known, 1 could not be audited")


def test_an_audit_of_nothing_is_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "ask", lambda pins: None)
    assert audit.main() == 1

"""Write the README's reliability figures anew, from the latest reports: python -m reliability.summary"""

from __future__ import annotations

from pathlib import Path

from blazeface.files.staged import staged_file
from reliability.report import FOLDER, newest

README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- reliability: written by python -m reliability.summary -->\n", "<!-- end of reliability -->"


def main() -> None:
    text = README.read_text(encoding="utf-8")
    with staged_file(README) as part:
        part.write_text(text.replace(section(text), summary()), encoding="utf-8")


def section(readme: str) -> str:
    """What stands between the two marks."""
    return readme.split(BEGIN)[1].split(END)[0]


def summary(folder: Path = FOLDER) -> str:
    """One line for each trial."""
    fuzz, chaos, soak = (newest(kind, folder) for kind in ("fuzz", "chaos", "soak"))
    killed = ", ".join(f"{name} {trial['killed']}" for name, trial in chaos["trials"].items())
    some = newest("kills", folder)
    more = ", ".join(f"{name} {trial['killed']}" for name, trial in some["trials"].items())
    failures = sum(len(trial["failures"]) for report in (chaos, some) for trial in report["trials"].values())
    return (
        f"- **Wrong bytes** ({fuzz['date']}): {fuzz['inputs']:,} pictures, annotations, models, checkpoints and JSON"
        f" files, {len(fuzz['findings'])} of which crashed, hung for {fuzz['limits']['seconds']} s or took"
        f" {fuzz['limits']['memory_mb']:,} MB.\n"
        f"- **kill -9** at random moments ({chaos['date']}: {killed} times; {some['date']}: {more} times): {failures} files half-written, checkpoints"
        " lost, or runs that could not go on.\n"
        f"- **A bad camera** ({soak['date']}; {soak['minutes']:g} minutes, {sum(soak['mishaps'].values())} stalls,"
        f" disconnects and size changes): memory grew by {soak['memory_mb']['growth']:.1f} MB,"
        f" {soak['threads']['after'] - soak['threads']['before']} threads and"
        f" {soak['files']['after'] - soak['files']['before']} files were left open; 99 % of {soak['frames']:,} frames had"
        f" their JSON line within {soak['latency_ms']['p99']:.0f} ms, beside other work (load {soak['load'][0]:.0f} on two"
        " cores).\n"
    )


if __name__ == "__main__":
    main()

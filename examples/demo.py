"""The main job from end to end: profile, solve, check, run, report. ``make demo`` runs it.

VGG-11 is planned on six devices and its plan executed by six processes with the devices' speeds and
links imposed; then a smaller network learns the digits by Snake and by federated averaging. Every step
is a command that can be typed by hand; files go to the folder ``demo``.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
INSTANCES = ROOT / "instances" / "layer_assignment"
OUT = ROOT / "demo"
ROUNDS = {"vgg11-6-nodes": "3", "digits-6-nodes": "20"}


def main() -> None:
    """Run every step, then print where the page is and what it says."""
    started = time.monotonic()
    OUT.mkdir(exist_ok=True)
    weighed = ("--weigh", "--batch-size", "32", "--repeats", "9")  # the devices are this machine, held slower
    edgeplan("profile", "vgg11", *weighed, "-o", "demo/vgg11-model.json")
    write_instance()
    solve_and_check("demo/vgg11-6-nodes.json", "demo/vgg11-6-nodes-result.json")
    slow = ("--learning-rate", "0.0003")  # three rounds are for the times; the digits are for learning
    run("demo/vgg11-6-nodes.json", "demo/vgg11-6-nodes-result.json", "vgg11-6-nodes", *slow)
    digits = "instances/layer_assignment/digits-6-nodes.json"
    solve_and_check(digits, "demo/digits-6-nodes-result.json")
    run(
        digits,
        "demo/digits-6-nodes-result.json",
        "digits-6-nodes",
        "--emulation",
        "none",
        "--baseline",
        "fedavg",
    )
    documents = [
        "demo/vgg11-6-nodes.json",
        "demo/vgg11-6-nodes-result.json",
        "demo/vgg11-6-nodes-run/run.json",
        digits,
        "demo/digits-6-nodes-result.json",
        "demo/digits-6-nodes-run/run.json",
    ]
    edgeplan("report", *documents, "-o", "demo/report.html")
    summarise(time.monotonic() - started)


def edgeplan(*arguments: str) -> None:
    """Show a command and run it; end the demo where it fails."""
    print(f"\n$ edgeplan {' '.join(arguments)}", flush=True)
    code = subprocess.run([sys.executable, "-m", "edgeplan", *arguments], cwd=ROOT, check=False).returncode
    if code:
        sys.exit(code)


def write_instance() -> None:
    """Put the fresh profile into the instance of six devices."""
    instance = json.loads((INSTANCES / "vgg11-6-nodes.json").read_text())
    instance["model"] = json.loads((OUT / "vgg11-model.json").read_text())
    (OUT / "vgg11-6-nodes.json").write_text(json.dumps(instance, indent=1))


def solve_and_check(instance: str, result: str) -> None:
    """Solve an instance and let the problem judge the plan."""
    edgeplan("solve", instance, "-o", result, "--workers", "2")
    edgeplan("check", instance, result)


def run(instance: str, result: str, name: str, *options: str) -> None:
    """Execute a plan; the report of the run goes to its own folder."""
    rounds = ("--rounds", ROUNDS[name], "--out", f"demo/{name}-run")
    edgeplan("run", instance, result, *rounds, *options)


def read(name: str) -> dict[str, Any]:
    """Read a document that the demo wrote."""
    document: dict[str, Any] = json.loads((OUT / name).read_text())
    return document


def summarise(seconds: float) -> None:
    """Print the figures that matter and the page's path."""
    result, shaped = read("vgg11-6-nodes-result.json"), read("vgg11-6-nodes-run/run.json")
    digits = read("digits-6-nodes-run/run.json")
    totals, baseline = shaped["totals"], digits["baseline"]
    rows = {
        "plan of VGG-11": f"{result['status']}, gap {100 * result['gap']:.2g} %",
        "round": f"predicted {totals['predicted_round_s']:.2f} s, "
        f"measured {totals['measured_round_s']:.2f} s",
        "bytes per round": f"{totals['measured_bytes_per_round']:,}, as predicted: {totals['bytes_equal']}",
        "frozen parameters": "bit-identical" if totals["frozen_unchanged"] else "CHANGED",
        "digits, Snake": f"accuracy {100 * digits['totals']['accuracy']:.1f} %",
        "digits, averaging": f"accuracy {100 * baseline['accuracy']:.1f} % after as many device iterations",
        "Snake / averaging": f"{100 * baseline['snake_accuracy_ratio']:.1f} % of the accuracy, "
        f"{100 * baseline['snake_bytes_ratio']:.1f} % of the bytes",
        "time": f"{seconds:.0f} s",
        "page": str(OUT / "report.html"),
    }
    print()
    for name, value in rows.items():
        print(f"{name:<20}{value}")


if __name__ == "__main__":
    main()

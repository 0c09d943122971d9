"""``edgeplan profile``."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.markup import escape

from edgeplan.cli.console import figures, stderr
from edgeplan.cli.files import STANDARD, check_output, write_json
from edgeplan.cli.options import JsonOutput
from edgeplan.cli.progress_bar import progress_bar
from edgeplan.errors import UsageError
from edgeplan.extras import require


def profile(
    model: Annotated[
        str,
        typer.Argument(
            help="vgg11, small-vgg, digits-vgg, char-transformer, wide-char-transformer, mobilenetv2, "
            "bert-base, opt-1.3b, llama-3-8b, or package.module:factory."
        ),
    ],
    output: JsonOutput = STANDARD,
    input_shape: Annotated[
        list[str] | None,
        typer.Option(help="Shape of an input per sample, such as 3,32,32; repeat for several inputs."),
    ] = None,
    input_dtype: Annotated[
        list[str] | None, typer.Option(help="Type of each input, such as int64 for token ids.")
    ] = None,
    sequence_length: Annotated[
        int | None, typer.Option(min=1, help="Tokens of a sample, for a known language model.")
    ] = None,
    dtype: Annotated[str, typer.Option(help="Type of parameters and activations.")] = "float32",
    weigh: Annotated[
        bool,
        typer.Option(
            "--weigh",
            help="Weigh the FLOPs by the seconds that passes take on this machine: as many in total, each "
            "layer's share that of its time.",
        ),
    ] = False,
    measure: Annotated[
        bool, typer.Option("--measure", help="Also measure seconds per layer on this machine.")
    ] = False,
    node_type: Annotated[
        str, typer.Option(help="Node type that the measured seconds stand for.")
    ] = "this-machine",
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Samples of a measured pass; default 8, large models 1.")
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Measured passes, of which the median counts.")] = 5,
) -> None:
    """Write the model section of an instance from a real PyTorch module, layer by layer.

    Known networks, and large ones of yours, run on fake tensors: nothing is downloaded or allocated.
    With --measure the output is {"model": ..., "timings": ...}: the second goes into the instance's
    network section. With --weigh predictions of training a few layers are nearer, on devices like this one.

    Example: edgeplan profile mypackage.nets:build --input-shape 3,32,32 -o model.json
    """
    check_output(output)
    if node_type.startswith("x-"):
        raise UsageError(f"--node-type: {node_type}: must not begin with x-, it would be read as a note")
    require("torch", purpose="edgeplan profile")
    from edgeplan.runtime.profiling import profile as profile_network

    subject: dict[str, Any] = {
        "input_shapes": input_shape,
        "input_dtypes": input_dtype,
        "sequence_length": sequence_length,
        "dtype": dtype,
    }
    with progress_bar("profiling") as show:
        counted = profile_network(model, **subject, on_progress=show)
    measuring = {**subject, "batch_size": batch_size, "repeats": repeats}
    section = _weighed(counted, model, measuring) if weigh else counted
    timings = _measured(model, measuring) if measure else None
    write_json({"model": section, "timings": {node_type: timings}} if timings else section, output)
    stderr.print(figures(_summary(counted)))


def _weighed(counted: dict[str, Any], model: str, measuring: dict[str, Any]) -> dict[str, Any]:
    from edgeplan.runtime.profiling import weighed

    return weighed(counted, _measured(model, {**measuring, "split": True}))


def _measured(model: str, measuring: dict[str, Any]) -> dict[str, dict[str, float]]:
    from edgeplan.runtime.profiling import measure

    with progress_bar("measuring") as show:
        return measure(model, **measuring, on_progress=show)


def _summary(section: dict[str, Any]) -> dict[str, str]:
    layers = section["layers"]
    total = {
        key: sum(layer[key] for layer in layers) for key in ("parameters", "forward_flops", "saved_bytes")
    }
    return {
        "model": f"{escape(section['name'])}, {len(layers)} layers",
        "parameters": f"{total['parameters']:,}",
        "forward": f"{total['forward_flops'] / 1e9:,.4g} GFLOP per sample",
        "saved": f"{total['saved_bytes'] / 2**20:,.4g} MiB per sample, all layers trained",
    }

"""``edgeplan instance``: instances measured from a real network, one command a problem."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from edgeplan.cli.console import figures, stderr
from edgeplan.cli.files import STANDARD, check_output, write_json
from edgeplan.cli.options import AggregationWeight, JsonOutput, given, refuse
from edgeplan.cli.progress_bar import progress_bar
from edgeplan.errors import UsageError
from edgeplan.extras import require
from edgeplan.report.units import bytes_text, range_text, three_digits

KNOWN = "mobilenetv2"

instance = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown")


@instance.callback()
def about() -> None:
    """Measure an instance from a real network: what every decision takes and brings.

    Example: edgeplan instance sparse_update --model mobilenetv2 --devices 7 -o instance.json
    """


Model = Annotated[str, typer.Option(help="mobilenetv2, or package.module:factory for a network of yours.")]
Width = Annotated[
    float | None,
    typer.Option(min=0.01, max=4, help="Channels of MobileNetV2, as a share of the usual; 0.35 by default."),
]
ImageSize = Annotated[
    int | None,
    typer.Option(min=8, max=512, help="Height and width of MobileNetV2's images; 32 by default."),
]
PretrainingEpochs = Annotated[
    int | None,
    typer.Option(min=1, help="Passes over the images that train MobileNetV2's first weights; 16 by default."),
]
InputShape = Annotated[str | None, typer.Option(help="Shape of a sample of your network, such as 3,32,32.")]
BatchSize = Annotated[int, typer.Option(min=1, help="Samples of a step on each device.")]
Ratios = Annotated[str, typer.Option(help="Shares of a layer's input channels that can be trained.")]
Memory = Annotated[
    str,
    typer.Option(
        help="Memory of the smallest and of the largest device, as shares of what training every layer "
        "takes; the others lie between."
    ),
]
Contribution = Annotated[
    str,
    typer.Option(
        help="probe: squared gradients; gain: accuracy gained by training each layer alone, takes some "
        "minutes; or a CSV file with the columns layer, ratio, contribution, where ratio 0 is the bias."
    ),
]
Momentum = Annotated[float, typer.Option(min=0, max=0.999, help="Of SGD; 0 keeps none.")]
Alpha = Annotated[
    float | None,
    typer.Option(
        help="Concentration of the Dirichlet distribution that splits labels over devices; alike for all "
        "by default."
    ),
]


@instance.command("sparse_update")
def sparse_update(
    model: Model = KNOWN,
    width: Width = None,
    image_size: ImageSize = None,
    pretraining_epochs: PretrainingEpochs = None,
    input_shape: InputShape = None,
    batch_size: BatchSize = 8,
    ratios: Ratios = "0.125,0.25,0.5,1",
    devices: Annotated[int, typer.Option(min=1, help="Number of devices.")] = 7,
    memory: Memory = "0.35..0.65",
    flops_per_s: Annotated[float, typer.Option(help="Speed of a device.")] = 1e9,
    bit_per_s: Annotated[float, typer.Option(help="Rate between any two devices.")] = 1e8,
    latency_s: Annotated[float, typer.Option(min=0, help="Latency of a message.")] = 0.002,
    aggregation_weight: AggregationWeight = 10.0,
    contribution: Contribution = "probe",
    momentum: Momentum = 0.9,
    alpha: Alpha = None,
    seed: Annotated[int, typer.Option(min=0, help="Of weights, images and their split.")] = 0,
    output: JsonOutput = STANDARD,
) -> None:
    """What every layer of a network takes and brings when parts of it are trained on small devices.

    Memory is what a step keeps once everything it does not need is dropped. Contributions add up to 100
    over all layers and biases, those of a file stay as they are. MobileNetV2 begins with weights trained on
    handwritten digits; its devices train it on digits turned by a quarter. Its first call trains these
    weights in about half a minute and keeps them in $EDGEPLAN_CACHE, or the user's folder for caches. The
    same options give the same bytes.

    A network of yours has no images here, so its contributions come from a file.

    Example: edgeplan instance sparse_update --model mobilenetv2 --devices 7 --memory 0.4..0.6 -o i.json
    """
    check_output(output)
    _check_above_zero({"--flops-per-s": flops_per_s, "--bit-per-s": bit_per_s, "--alpha": alpha})
    _check_model(model)
    _check_contribution(contribution)
    offered, (least, most) = _read_ratios(ratios), _read_shares(memory)
    require("torch", purpose="edgeplan instance")
    from edgeplan.runtime.sparse.measured import Cluster, Offer, of_module, of_workload
    from edgeplan.runtime.sparse.workload import Workload, WorkloadSettings

    cluster = Cluster(devices, least, most, flops_per_s, bit_per_s, latency_s)
    offer = Offer(batch_size, offered, momentum > 0, aggregation_weight)
    of_digits = given(width=width, image_size=image_size, pretraining_epochs=pretraining_epochs, alpha=alpha)
    if model == KNOWN:
        refuse(given(input_shape=input_shape or None), f"the network {model}")
        chosen = {**of_digits, "momentum": momentum, "seed": seed, "num_devices": devices}
        workload = Workload(WorkloadSettings.from_document(chosen))
        document = of_workload(workload, cluster, offer, contribution, progress_bar)
    else:
        refuse(of_digits, f"the network {model}")
        document = of_module(model, input_shape, cluster, offer, contribution, seed)
    write_json(document, output)
    stderr.print(figures(_summary(document)))


def _check_above_zero(options: dict[str, float | None]) -> None:
    for name, value in options.items():
        if value is not None and not 0 < value < math.inf:
            raise UsageError(f"{name}: {value:g}: must be above 0 and finite; take such a number")


def _check_model(model: str) -> None:
    if model != KNOWN and ":" not in model:
        raise UsageError(f"--model: {model!r}: must be {KNOWN} or package.module:factory; write it so")


def _check_contribution(contribution: str) -> None:
    if contribution not in ("probe", "gain") and not Path(contribution).is_file():
        raise UsageError(
            f"--contribution: {contribution!r}: must be probe, gain or a CSV file; there is no such file"
        )


def _read_ratios(text: str) -> tuple[float, ...]:
    try:
        ratios = tuple(float(part) for part in text.split(","))
    except ValueError:
        ratios = ()
    rising = all(low < high for low, high in pairwise((0.0, *ratios)))
    if not ratios or not rising or not ratios[-1] <= 1:
        raise UsageError(
            f"--ratios: {text!r}: must be rising numbers above 0 and at most 1; write them as "
            "0.125,0.25,0.5,1"
        )
    return ratios


def _read_shares(text: str) -> tuple[float, float]:
    least, _, most = text.partition("..")
    try:
        shares = float(least), float(most or least)
    except ValueError:
        shares = 0.0, 0.0
    if not 0 < shares[0] <= shares[1] < math.inf:
        raise UsageError(
            f"--memory: {text!r}: must be a share above 0 or a range of shares; write it as 0.35..0.65"
        )
    return shares


def _summary(document: dict[str, Any]) -> dict[str, str]:
    layers, memory = document["layers"], document["x-memory"]
    budgets = [device["memory_bytes"] for device in document["devices"]]
    trained = sum(layer["options"][-1]["parameters"] + layer["bias_parameters"] for layer in layers)
    weights = sum(layer["options"][-1]["contribution"] for layer in layers)
    biases = document["depth_contribution"][-1]
    return {
        "instance": escape(document["name"]),
        "model": f"{len(layers)} layers, {trained:,} parameters to train",
        "memory": f"{bytes_text(memory['dense_bytes'])} to train every layer, "
        f"{bytes_text(document['base_bytes'])} whatever is trained",
        "devices": f"{len(budgets)} of {range_text(bytes_text(budgets[0]), bytes_text(budgets[-1]))}",
        "contribution": f"{three_digits(weights)} by all weights, {three_digits(biases)} by all biases "
        f"({escape(document['x-contribution']['by'])})",
    }

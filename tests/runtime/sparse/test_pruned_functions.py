"""Every pruned layer against autograd of the ordinary one, in double precision."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

pytest.importorskip("torch")

import torch
from torch import Tensor, nn
from torch.testing import assert_close

from edgeplan.errors import UsageError
from edgeplan.runtime.sparse.pruned import (
    FrozenBatchNorm,
    PrunedConv2d,
    PrunedDepthwiseConv2d,
    PrunedLayer,
    PrunedLinear,
    PrunedReLU,
    PrunedReLU6,
)

CHANNELS = [[4], [5, 0, 3], [2, 4, 0, 5, 1, 3]]


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def gradients(module: nn.Module, x: Tensor, wanted: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Output, and gradients of a weighted sum of it."""
    output = module(x)
    weights = torch.linspace(-1, 2, output.numel(), dtype=output.dtype).view_as(output)
    return (output, *torch.autograd.grad((output * weights).sum(), wanted))


def assert_same_gradients(
    ordinary: nn.Module, pruned: PrunedLayer, x: Tensor, part: Sequence[object]
) -> None:
    """Outputs and gradients agree; `part` selects the trained weights."""
    weight, bias = ordinary.get_parameter("weight"), ordinary.bias
    assert pruned.kept is not None
    pruned_wanted: list[Tensor] = [pruned.kept]
    wanted: list[Tensor] = [weight]
    if isinstance(bias, nn.Parameter) and isinstance(pruned.bias, nn.Parameter):
        wanted.append(bias)
        pruned_wanted.append(pruned.bias)
    if x.requires_grad:
        wanted.append(x)
        pruned_wanted.append(x)
    output, weight_gradient, *others = gradients(ordinary, x, wanted)
    expected = (output, weight_gradient[tuple(part)], *others)
    assert_close(gradients(pruned, x, pruned_wanted), expected, rtol=1e-10, atol=1e-12)


GEOMETRIES = {
    "plain": {},
    "stride": {"stride": 2},
    "padding": {"padding": 1},
    "stride and padding": {"stride": 3, "padding": 2},
    "dilation": {"dilation": 2, "padding": 2},
    "uneven": {"stride": (1, 2), "padding": (2, 0), "dilation": (1, 2)},
}


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("needs_input_gradient", [True, False])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kernel", [1, 3, (2, 3)])
@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_a_convolution_has_the_gradients_of_autograd(
    geometry: str, kernel: int, bias: bool, needs_input_gradient: bool, channels: list[int]
) -> None:
    ordinary = nn.Conv2d(6, 4, kernel, bias=bias, **GEOMETRIES[geometry]).double()  # type: ignore[arg-type]
    pruned = PrunedConv2d(ordinary, torch.tensor(channels), trains_bias=True)
    x = torch.randn(2, 6, 9, 10, dtype=torch.float64, requires_grad=needs_input_gradient)
    assert_same_gradients(ordinary, pruned, x, (slice(None), channels))


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("needs_input_gradient", [True, False])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("filters_each", [1, 2])
@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_a_depthwise_convolution_has_the_gradients_of_autograd(
    geometry: str, filters_each: int, bias: bool, needs_input_gradient: bool, channels: list[int]
) -> None:
    settings = GEOMETRIES[geometry]
    ordinary = nn.Conv2d(6, 6 * filters_each, 3, groups=6, bias=bias, **settings).double()  # type: ignore[arg-type]
    pruned = PrunedDepthwiseConv2d(ordinary, torch.tensor(channels), trains_bias=True)
    x = torch.randn(2, 6, 9, 10, dtype=torch.float64, requires_grad=needs_input_gradient)
    filters = [channel * filters_each + k for channel in channels for k in range(filters_each)]
    assert_same_gradients(ordinary, pruned, x, (filters,))


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("needs_input_gradient", [True, False])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("leading", [(), (5,), (3, 2)])
def test_a_linear_layer_has_the_gradients_of_autograd(
    leading: tuple[int, ...], bias: bool, needs_input_gradient: bool, channels: list[int]
) -> None:
    ordinary = nn.Linear(6, 4, bias=bias).double()
    pruned = PrunedLinear(ordinary, torch.tensor(channels), trains_bias=True)
    x = torch.randn(*leading, 6, dtype=torch.float64, requires_grad=needs_input_gradient)
    assert_same_gradients(ordinary, pruned, x, (slice(None), channels))


@pytest.mark.parametrize("groups", [1, 2, 6])
def test_a_frozen_convolution_lets_the_gradient_pass_and_keeps_nothing_else(groups: int) -> None:
    ordinary = nn.Conv2d(6, 6, 3, groups=groups).double().requires_grad_(False)
    pruned = PrunedConv2d(ordinary)
    x = torch.randn(2, 6, 8, 8, dtype=torch.float64, requires_grad=True)
    assert_close(gradients(pruned, x, [x]), gradients(ordinary, x, [x]), rtol=1e-10, atol=1e-12)
    assert not list(pruned.parameters())


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("needs_input_gradient", [True, False])
@pytest.mark.parametrize(
    ("kind", "shape"), [(nn.BatchNorm1d, (4, 6)), (nn.BatchNorm1d, (4, 6, 5)), (nn.BatchNorm2d, (2, 6, 5, 4))]
)
def test_a_frozen_batch_norm_has_the_gradients_of_evaluation_mode(
    kind: type[nn.BatchNorm2d], shape: tuple[int, ...], needs_input_gradient: bool, affine: bool
) -> None:
    ordinary = kind(6, affine=affine).double()
    ordinary(3 + 2 * torch.randn(shape, dtype=torch.float64))
    if affine:
        nn.init.uniform_(ordinary.weight)
        nn.init.uniform_(ordinary.bias)
    frozen = FrozenBatchNorm(ordinary, trains_bias=True).train()
    x = torch.randn(shape, dtype=torch.float64, requires_grad=needs_input_gradient)
    inputs = [x] if needs_input_gradient else []
    biases = ([ordinary.bias], [frozen.bias]) if affine else ([], [])
    if not inputs and not affine:
        assert not frozen(x).requires_grad
        return
    expected = gradients(ordinary.eval(), x, [*inputs, *biases[0]])
    assert_close(gradients(frozen, x, [*inputs, *biases[1]]), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("shape", [(), (1,), (7,), (8,), (0, 3), (3, 5, 11), (2, 8, 4, 4)])
@pytest.mark.parametrize(("kind", "ordinary"), [(PrunedReLU, nn.ReLU()), (PrunedReLU6, nn.ReLU6())])
def test_a_clamp_by_bits_has_the_gradients_of_autograd(
    kind: type[PrunedReLU], ordinary: nn.Module, shape: tuple[int, ...], dtype: torch.dtype
) -> None:
    x = (4 * torch.randn(shape)).to(dtype).requires_grad_()
    assert_close(gradients(kind(), x, [x]), gradients(ordinary, x, [x]), rtol=0, atol=0)


@pytest.mark.parametrize(("kind", "ordinary"), [(PrunedReLU, nn.ReLU()), (PrunedReLU6, nn.ReLU6())])
def test_at_the_corners_the_gradient_stops_as_in_autograd(
    kind: type[PrunedReLU], ordinary: nn.Module
) -> None:
    x = torch.tensor([-1.0, -0.0, 0.0, 1e-45, 3.0, 5.9999995, 6.0, 6.0000005], requires_grad=True)
    assert_close(gradients(kind(), x, [x]), gradients(ordinary, x, [x]), rtol=0, atol=0)


def test_a_clamp_takes_any_memory_format() -> None:
    x = (4 * torch.randn(2, 3, 5, 7)).to(memory_format=torch.channels_last).requires_grad_()
    y = (4 * torch.randn(7, 5)).T.requires_grad_()
    for given in (x, y):
        found, expected = (gradients(module, given, [given]) for module in (PrunedReLU6(), nn.ReLU6()))
        assert_close(found, expected, rtol=0, atol=0)


def test_a_convolution_takes_any_memory_format() -> None:
    ordinary = nn.Conv2d(6, 4, 3).double()
    x = torch.randn(2, 6, 9, 10, dtype=torch.float64).to(memory_format=torch.channels_last).requires_grad_()
    pruned = PrunedConv2d(ordinary, torch.tensor([5, 0]), trains_bias=True)
    assert_same_gradients(ordinary, pruned, x, (slice(None), [5, 0]))


def test_only_leaves_that_are_trained_get_a_gradient() -> None:
    pruned = PrunedConv2d(nn.Conv2d(6, 4, 3), torch.tensor([5, 0]))
    assert [name for name, _ in pruned.named_parameters()] == ["kept"]
    assert not PrunedConv2d(nn.Conv2d(6, 4, 3))(torch.zeros(1, 6, 4, 4)).requires_grad


@pytest.mark.parametrize("settings", [{"padding": "same"}, {"padding": 1, "padding_mode": "reflect"}])
def test_a_convolution_with_another_padding_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="only padding by a number of zeros"):
        PrunedConv2d(nn.Conv2d(6, 4, 3, **settings))  # type: ignore[arg-type]


def test_a_batch_norm_without_statistics_is_refused() -> None:
    with pytest.raises(UsageError, match="without running statistics"):
        FrozenBatchNorm(nn.BatchNorm2d(3, track_running_stats=False))

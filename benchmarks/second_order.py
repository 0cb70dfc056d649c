"""Second-order pooling: error of the iteration, time and memory of the root, time of whole networks.

    python benchmarks/second_order.py [--authors CLONE]

Ours is the default algorithm; "products" is the iteration in products of matrices; "stored" is the same in plain
autograd, which keeps all iterates; "exact" is the root itself, with our derivative and with the one that autograd
finds through the eigenvectors. With a clone of jiangtaoxie/fast-MPN-COV the authors' own function is timed as well.
Forms take turns; figures are medians.
"""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter

import torch
from torch import Tensor, nn

from dynaconv import create_model
from dynaconv.ops import covariance_pool, matrix_sqrt

__all__ = ["main"]

Root = Callable[[Tensor], Tensor]
ITERATIONS = 5


def stored(a: Tensor) -> Tensor:
    """Newton–Schulz in plain autograd."""
    trace = a.diagonal(dim1=1, dim2=2).sum(1)[:, None, None]
    identity = torch.eye(a.shape[-1])
    y, z = a / trace, identity.expand_as(a)
    for _ in range(ITERATIONS):
        t = 1.5 * identity - 0.5 * z @ y
        y, z = y @ t, t @ z
    return y * trace.sqrt()


def eigenvectors(a: Tensor) -> Tensor:
    """The exact root, differentiated through eigenvalues and eigenvectors."""
    values, vectors = torch.linalg.eigh(a)
    return (vectors * values.clamp(min=0).sqrt().unsqueeze(1)) @ vectors.mT


def authors_root(clone: Path) -> Root:
    """The authors' own function."""
    spec = importlib.util.spec_from_file_location("authors", clone / "src" / "representation" / "MPNCOV.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return lambda a: module.SqrtmLayer(a, ITERATIONS)


def covariances(size: int, batch: int, dtype: torch.dtype) -> Tensor:
    """Covariances of ReLU features at 14×14 positions."""
    generator = torch.Generator().manual_seed(0)
    return covariance_pool(torch.randn(batch, size, 14, 14, generator=generator).relu().to(dtype))


def print_errors() -> None:
    """Relative Frobenius error of the root against iterations and dimension."""
    counts = (1, 3, 5, 7, 10, 15, 20)
    print("relative error of the root\n" + f"{'d':>6}" + "".join(f"{f'n={n}':>9}" for n in counts))
    for size in (16, 32, 64, 128, 256, 512):
        a = covariances(size, 2, torch.float64)
        exact = matrix_sqrt(a, None)
        found = [((matrix_sqrt(a, n) - exact).norm() / exact.norm()).item() for n in counts]
        print(f"{size:>6}" + "".join(f"{error:>9.1e}" for error in found))


def kept(root: Root, a: Tensor) -> int:
    """Bytes kept between the passes, each storage once."""
    noted: list[Tensor] = []

    def note(tensor: Tensor) -> Tensor:
        # Held, so that no other tensor gets its address.
        noted.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda t: t):
        root(a)
    return sum({t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in noted}.values())


def seconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    start = perf_counter()
    work()
    return perf_counter() - start


def print_roots(authors: Path | None) -> None:
    """Forward and backward passes for a batch of 32, and what is kept in between."""
    forms: dict[str, Root] = {
        "ours": lambda a: matrix_sqrt(a, ITERATIONS),
        "products": lambda a: matrix_sqrt(a, ITERATIONS, algorithm="products"),
        "stored": stored,
    }
    if authors is not None:
        forms["authors"] = authors_root(authors)
    forms |= {"exact, ours": lambda a: matrix_sqrt(a, None), "exact, autograd": eigenvectors}
    print(
        f"\nroot of 32 matrices, {ITERATIONS} iterations\n{'d':>6}  {'form':<15}{'ms':>9}{'to ours':>9}{'MB kept':>9}"
    )
    for size in (64, 128, 256):
        a = covariances(size, 32, torch.float32).requires_grad_()
        times = times_of(forms, a)
        ours = median(times["ours"])
        for name, root in forms.items():
            taken, held = median(times[name]), kept(root, a) / 1e6
            print(f"{size:>6}  {name:<15}{1e3 * taken:>9.1f}{taken / ours:>9.2f}{held:>9.1f}")


def times_of(forms: dict[str, Root], a: Tensor) -> dict[str, list[float]]:
    """Seconds of each form, taken in turns after one to warm up."""
    upstream = torch.randn_like(a).triu()
    times: dict[str, list[float]] = {name: [] for name in forms}
    for turn in range(8):
        for name, root in forms.items():
            taken = seconds(lambda root=root: torch.autograd.grad(root(a), a, upstream))
            if turn:
                times[name].append(taken)
    return times


def same_stage(model: nn.Module) -> nn.Module:
    """ResNet-50 with its fourth stage at the third's resolution, as in all these networks."""
    for name in ("layer4.0.conv2", "layer4.0.downsample.0"):
        conv = model.get_submodule(name)
        assert isinstance(conv, nn.Conv2d)
        conv.stride = (1, 1)
    return model


def print_networks() -> None:
    """Forward and backward pass of whole networks on two images of 224×224, against the plain ResNet-50."""
    names = ["gsop1_channel_resnet50", "gsop1_average_resnet50", "gsop2_channel_resnet50", "isqrt_resnet50"]
    models = {"resnet50, stage 4 at stride 1": same_stage(create_model("resnet50"))}
    models |= {name: create_model(name) for name in names}
    x = torch.randn(2, 3, 224, 224)
    times: dict[str, list[float]] = {name: [] for name in models}
    for turn in range(10):
        for name, model in models.items():
            taken = seconds(lambda model=model: model(x).sum().backward())
            if turn:
                times[name].append(taken)
    plain = median(next(iter(times.values())))
    print(f"\nnetwork, batch 2, forward and backward\n{'':<32}{'s':>7}{'to plain':>10}")
    for name, taken in times.items():
        print(f"{name:<32}{median(taken):>7.2f}{median(taken) / plain:>10.2f}")


def main() -> None:
    """All three tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--authors", type=Path, help="a clone of jiangtaoxie/fast-MPN-COV")
    torch.manual_seed(0)
    print_errors()
    print_roots(parser.parse_args().authors)
    print_networks()


if __name__ == "__main__":
    main()

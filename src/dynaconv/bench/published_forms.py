"""Blocks and heads in their authors' formulation, on the parameters of the library's own: what those are timed against.

Maps of gates are written out where the authors' code writes them out.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dynaconv.attention import BAM, CBAM, GSoPChannel, GSoPPosition
from dynaconv.attention.gsop_scores import CovarianceScores
from dynaconv.bench.blocks import Root
from dynaconv.bench.published_root import published_covariance, published_root
from dynaconv.errors import ArgumentError
from dynaconv.pooling import IsqrtCovPool

__all__ = ["PublishedForm"]


class PublishedForm(nn.Module):
    """A block, head or root run in the authors' formulation.

    Args:
        block: its parameters are used, not copied.

    Raises:
        ArgumentError: of that block no formulation is known.
    """

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        if type(block) not in _FORMULATIONS:
            raise ArgumentError("block", type(block).__name__, f"one of {', '.join(c.__name__ for c in _FORMULATIONS)}")
        self.block = block

    def forward(self, x: Tensor) -> Tensor:
        """What the block gives for `x`."""
        return _FORMULATIONS[type(self.block)](self.block, x)


def _cbam(block: CBAM, x: Tensor) -> Tensor:
    channel, size = block.channel, x.shape[2:]
    scores = torch.zeros(())
    for pool in (F.avg_pool2d, F.max_pool2d):
        pooled = pool(x, size, stride=size).flatten(1)
        scores = scores + channel.fc2(channel.fc1(pooled).relu())
    x = x * torch.sigmoid(scores)[..., None, None].expand_as(x)
    pooled = torch.cat([x.max(1)[0].unsqueeze(1), x.mean(1).unsqueeze(1)], dim=1)
    return x * torch.sigmoid(block.spatial.norm(block.spatial.conv(pooled)))


def _bam(block: BAM, x: Tensor) -> Tensor:
    pooled = F.avg_pool2d(x, x.shape[2:], stride=x.shape[2:]).flatten(1)
    channel = block.channel(pooled)[..., None, None].expand_as(x)
    spatial = block.spatial(x).expand_as(x)
    return (1 + torch.sigmoid(channel * spatial)) * x


def _gsop_channel(block: GSoPChannel, x: Tensor) -> Tensor:
    reduced = block.reduce(x.relu()).flatten(2)
    gates = torch.sigmoid(_scores(block.scores, published_covariance(reduced)))
    return x * gates[..., None, None]


def _gsop_position(block: GSoPPosition, x: Tensor) -> Tensor:
    cells = F.adaptive_avg_pool2d(block.reduce(x.relu()), block.grid).flatten(2)
    covariance = published_covariance(cells.mT, count=cells.shape[-1])
    gates = torch.sigmoid(_scores(block.scores, covariance)).unflatten(1, (1, *block.grid))
    return (x * F.adaptive_avg_pool2d(gates, (x.shape[2], x.shape[3]))).relu()


def _scores(scores: CovarianceScores, covariance: Tensor) -> Tensor:
    """Rows and scores as two-dimensional convolutions."""
    size = covariance.shape[-1]
    rows = scores.norm(covariance.view(-1, size, size, 1)).view(-1, size, 1, size)
    rows = F.conv2d(rows, scores.rows.weight.unsqueeze(2), scores.rows.bias, groups=size)
    weight = scores.linear.weight[..., None, None]
    return F.conv2d(scores.activation(rows.view(len(rows), -1, 1, 1)), weight, scores.linear.bias).flatten(1)


def _isqrt_cov(head: IsqrtCovPool, x: Tensor) -> Tensor:
    root = _root(head, published_covariance(head.reduce(x).flatten(2)))
    size = root.shape[-1]
    upper = torch.ones(size, size).triu().reshape(-1).nonzero().squeeze(1)
    return root.reshape(len(root), -1)[:, upper]


def _root(module: IsqrtCovPool | Root, a: Tensor) -> Tensor:
    """The iteration, or for MPN-COV the root through eigenvectors, which autograd differentiates."""
    if module.iterations is not None:
        return published_root(a, module.iterations)
    values, vectors = torch.linalg.eigh(a)
    root: Tensor = (vectors * values.clamp(min=0).sqrt().unsqueeze(1)) @ vectors.mT
    return root


_FORMULATIONS: dict[type[nn.Module], Callable[..., Tensor]] = {
    CBAM: _cbam,
    BAM: _bam,
    GSoPChannel: _gsop_channel,
    GSoPPosition: _gsop_position,
    IsqrtCovPool: _isqrt_cov,
    Root: _root,
}

"""Benchmarks: networks, blocks and operators against their static twins and the published formulation."""

from __future__ import annotations

from dynaconv.bench.blocks import BlockCase, block_cases, block_network_cases
from dynaconv.bench.chart import write_chart
from dynaconv.bench.console import print_results, show_progress
from dynaconv.bench.networks import NetworkCase, network_cases
from dynaconv.bench.operators import OperatorCase, operator_cases
from dynaconv.bench.results import BenchResults, default_choice
from dynaconv.bench.runner import Efforts, run_bench

__all__ = [
    "BenchResults",
    "BlockCase",
    "Efforts",
    "NetworkCase",
    "OperatorCase",
    "block_cases",
    "block_network_cases",
    "default_choice",
    "network_cases",
    "operator_cases",
    "print_results",
    "run_bench",
    "show_progress",
    "write_chart",
]

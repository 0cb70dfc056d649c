"""Dispatch: which algorithm runs a problem, from declared facts, a cost model, or measurements."""

from dynaconv.dispatch.algorithm import Algorithm, Cost, always
from dynaconv.dispatch.choice import Registry, candidates
from dynaconv.dispatch.explain import explain_choice
from dynaconv.dispatch.measured import autotune
from dynaconv.dispatch.problem import Problem

__all__ = ["Algorithm", "Cost", "Problem", "Registry", "always", "autotune", "candidates", "explain_choice"]

"""Small CIFAR archives in both published formats, made of random pixels."""

from __future__ import annotations

import pytest
from support.data_files import CifarMaker


@pytest.fixture
def cifar10() -> CifarMaker:
    return CifarMaker(10)


@pytest.fixture
def cifar100() -> CifarMaker:
    return CifarMaker(100)

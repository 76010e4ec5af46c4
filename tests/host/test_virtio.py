# SPDX-License-Identifier: Apache-2.0
"""The shadow queues of hv/dev/virtio.c: honest drivers are served, hostile ones reach nothing but their own memory."""
from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Dict

import pytest

from hvl_host import FLAGS, ROOT, VIRTIO, run, src

SEEDS = {"honest": 1000, "rules": 1, "hostile": 1000, "race": 1, "rated": 20, "withheld": 1, "told": 1000}
RATES = [0, 500]                        # requests a second, 0: no limit


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("virtio") / "virtio_host"
    sources = ["tests/host/virtio_host.c", *(src(part) for part in VIRTIO)]
    subprocess.run(["gcc", *FLAGS, *sources, "-pthread", "-o", str(program)], cwd=ROOT, check=True)
    return program


def play(host: Path, scenario: str, version: int, read_only: int, requests: int = 0, withheld: int = 0
         ) -> Dict[str, int]:
    out, _ = run(host, b"", [scenario, str(version), str(read_only), "1", str(SEEDS[scenario]),
                             str(requests << 32 | withheld)])
    return {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", out.decode())}


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("read_only", [0, 1])
@pytest.mark.parametrize("requests", RATES)
def test_honest_drivers_get_every_request_back(host: Path, version: int, read_only: int, requests: int) -> None:
    seen = play(host, "honest", version, read_only, requests)
    assert seen["served"] > 1000 and seen["events"] == 0


@pytest.mark.parametrize("version", [1, 2])
def test_each_broken_rule_breaks_the_device_until_reset(host: Path, version: int) -> None:
    assert play(host, "rules", version, 0)["events"] > 0


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("read_only", [0, 1])
@pytest.mark.parametrize("requests", RATES)
def test_hostile_drivers_reach_nothing_and_a_reset_heals(host: Path, version: int, read_only: int, requests: int
                                                         ) -> None:
    seen = play(host, "hostile", version, read_only, requests)
    assert seen["served"] > 100 and seen["events"] > 0


@pytest.mark.parametrize("version", [1, 2])
def test_descriptors_that_change_under_way_are_read_once(host: Path, version: int) -> None:
    seen = play(host, "race", version, 0)
    assert seen["served"] > 100 and seen["events"] > 0


@pytest.mark.parametrize("version", [1, 2])
def test_requests_beyond_the_rate_wait_and_none_is_lost(host: Path, version: int) -> None:
    seen = play(host, "rated", version, 0, requests=10)
    assert seen["served"] >= 20 * 30 and seen["events"] == 0


@pytest.mark.parametrize("version", [1, 2])
def test_withheld_features_are_neither_shown_nor_taken(host: Path, version: int) -> None:
    play(host, "withheld", version, 0, withheld=1 << 9 | 1 << 13)


def test_as_the_model_has_it(host: Path) -> None:
    """Registers, the device's view, refusals with their reasons, on boards of every kind."""
    assert play(host, "told", 1, 0)["served"] > 5000

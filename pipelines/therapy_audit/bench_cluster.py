"""How fast a run on Dask's workers is, and how many workers larger data takes: measured, then multiplied."""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass
from pathlib import Path

from therapy_audit import cluster, pipeline, synth
from therapy_audit.config import Config

SIZES = (100_000_000, 10_000_000_000)  # claim lines
_INPUTS = ("claims", "notes", "providers", "plans_of_care", "authorizations", "opening_balances")


_SMALLER = 4  # times: what a run takes however little there is must not be multiplied


@dataclass(frozen=True)
class Measured:
    """Seconds of one run: of each stage on its own machine, and of the workers, by the clock."""

    lines: int
    slots: int
    here: dict[str, float]
    at_work: float


def measure(
    lines: int, seed: int, scheduler: str | None = None, exchange: str | None = None, partitions: int | None = None
) -> Measured:
    """Run a synthetic clinic on Dask's workers."""
    seconds: dict[str, float] = {}
    at_work = 0.0

    def told(name: str, took: float) -> None:
        nonlocal at_work
        if name.startswith(cluster.AT_WORK):
            at_work += took
        elif name.startswith((cluster.HERE, cluster.EXCHANGED)):
            stage = "models that need all rows" if name.startswith(cluster.HERE) else "exchange"
            seconds[stage] = seconds.get(stage, 0) + took
        elif " " not in name and name != "models":
            seconds[name] = took

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = synth.write(folder / "clinic", seed=seed, lines=lines)
        with cluster.workers(scheduler) as found:
            slots = found.slots
        config = Config(
            inputs={kind: (str(folder / "clinic" / f"{kind}.csv"),) for kind in _INPUTS},
            output=folder / "report",
            engine="dask",
            scheduler=scheduler,
            exchange=exchange,
            partitions=partitions,
        )
        pipeline.run(config, told)
    return Measured(made["claims"], slots, seconds, at_work)


def table(
    lines: int,
    seed: int,
    scheduler: str | None = None,
    exchange: str | None = None,
    partitions: int | None = None,
    hours: float = 8,
) -> str:
    """Return the stages of a run with their lines per second, and what larger data takes, as text.

    Two runs are made, one on a quarter of the lines: lines per second are those that the larger one had more.
    """
    small = measure(max(lines // _SMALLER, 100), seed, scheduler, exchange, partitions)
    large = measure(lines, seed, scheduler, exchange, partitions)
    more = large.lines - small.lines

    def each(before: float, after: float) -> float:
        """Return the seconds that a further line takes; where nothing is seen of it, of all of them on the average."""
        return (after - before) / more if after > before else max(after, 1e-9) / large.lines

    stages = {stage: each(small.here.get(stage, 0), seconds) for stage, seconds in large.here.items()}
    here, work = sum(stages.values()), each(small.at_work, large.at_work) * large.slots
    told = [
        f"{small.lines:,} and {large.lines:,} claim lines, {large.slots} worker threads",
        f"{'seconds':>9} {'seconds':>9} {'lines/s':>12}",
        *(
            f"{small.here.get(stage, 0):9.1f} {large.here[stage]:9.1f} {1 / seconds:12,.0f}  {stage}"
            for stage, seconds in stages.items()
        ),
        f"{small.at_work:9.1f} {large.at_work:9.1f} {1 / work:12,.0f}  workers, each thread",
        f"To end within {hours:g} hours:",
    ]
    for size in SIZES:
        alone, together = here * size / 3600, work * size / 3600
        if alone < hours:
            needed = f"{math.ceil(together / (hours - alone)):,} worker threads"
        else:
            needed = f"{math.ceil(2 * alone / hours):,} runs, each of a part of the clinics"
        told.append(f"{size:>15,} lines: {alone:,.1f} h on the run's machine, {together:,.1f} h of a worker: {needed}")
    return "\n".join(told)

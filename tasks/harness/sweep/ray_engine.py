"""Train the jobs of a sweep on a Ray cluster of one or many machines."""

from __future__ import annotations

import os
import platform
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.harness.errors import UserError
from tasks.harness.sweep.sweep import Ended, Job
from tasks.harness.training.signals import allow_interrupts, keep_sigterm

if TYPE_CHECKING:
    from ray import ObjectRef

RETRIES = 10
"""How often a job is restarted from its checkpoint after its worker or node was lost."""
OBJECT_STORE = 80 * 2**20
"""Bytes; about Ray's minimum, because jobs share files, not objects."""
GRACE = 60.0
"""Seconds that interrupted jobs have to save their status."""


class RayEngine:
    """Connects to a cluster for one sweep; see :class:`tasks.harness.sweep.sweep.Engine`.

    A job takes one core of any node. The jobs' directories and the working directory must be on a file system that
    all nodes share.

    Args:
        address: HOST:PORT of a running cluster, which this machine must belong to, or ``auto`` to find that cluster;
            None starts a cluster on this machine.
        cores: the number of cores of a cluster that is started on this machine.

    Raises:
        UserError: when Ray is not installed, or there is no cluster at ``address``.
    """

    def __init__(self, address: str | None, cores: int) -> None:
        try:
            import ray
        except ModuleNotFoundError:
            raise UserError("--engine ray needs Ray: pip install 'nalu-suite[ray]'") from None
        if address not in (None, "auto"):
            _require_reachable(address)
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # our own cluster sends no usage statistics
        own = {"num_cpus": cores, "object_store_memory": OBJECT_STORE, "include_dashboard": False}
        try:
            with keep_sigterm():
                ray.init(address or "local", log_to_driver=False, logging_level="ERROR", **({} if address else own))
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise UserError(f"no Ray cluster at --address {address or 'local'}: {_first_line(error)}") from None

    @property
    def workers(self) -> int:
        """The cores of the cluster, as it is now."""
        import ray

        return max(int(ray.cluster_resources().get("CPU", 0)), 1)

    def __call__(self, jobs: Sequence[Job]) -> Ended:
        import ray

        train = ray.remote(num_cpus=1, max_retries=RETRIES)(_train)
        here = Path.cwd()
        for directory in {job.directory.parent for job in jobs}:
            directory.mkdir(parents=True, exist_ok=True)  # a node that does not see it shares no file system with us
        running: dict[ObjectRef, Job] = {}
        try:
            running.update((train.remote(job, here), job) for job in jobs)
            while running:
                (ended,), _ = ray.wait(list(running))
                try:
                    error = ray.get(ended)
                except ray.exceptions.RayError as lost:
                    error = _first_line(lost)
                yield running.pop(ended), error
        except BaseException:
            for reference in running:
                ray.cancel(reference)
            if running:
                ray.wait(list(running), num_returns=len(running), timeout=GRACE)
            raise
        finally:
            ray.shutdown()


def _require_reachable(address: str) -> None:
    """Raise a UserError unless the address can be reached. Ray itself would try for minutes and end the process."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except (ValueError, OverflowError):
        raise UserError(f"--address must be auto or HOST:PORT, got {address}") from None
    except OSError as error:
        raise UserError(f"no Ray cluster at --address {address}: {error.strerror or error}") from None


def _train(job: Job, working_directory: Path) -> str | None:
    """On a worker: train a job; return an error message, or None if it succeeded."""
    allow_interrupts()  # Ray cancels by SIGINT, which a cluster that was started in the background would ignore
    for shared in (working_directory, (working_directory / job.directory).parent):
        if not shared.is_dir():
            return f"{shared} must be on a file system that all nodes share, but {platform.node()} does not have it"
    os.chdir(working_directory)  # data sets are searched for here
    try:
        job.train()
    except Exception as error:
        return str(error) or type(error).__name__
    return None


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]

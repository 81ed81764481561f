"""What runs on a CUDA device, recorded as a graph that is launched as one."""

from __future__ import annotations

from collections.abc import Callable

import torch

WARM_UPS = 2
"""Runs before the recording: libraries choose their kernels and take their workspaces in them."""
SHARE = 0.5
"""Share of the memory left by other processes that graphs may hold."""
Run = Callable[[], None]


class CudaRecorder:
    """All its graphs work in one pool of memory: no run needs what another has computed."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._pool = torch.cuda.graph_pool_handle()

    def record(self, run: Run) -> Run:
        """Return what does on the device all that `run` does; raises `RuntimeError`.

        It reads and writes the tensors that `run` does, which the caller keeps alive.
        """
        usual, graph = torch.cuda.current_stream(self._device), torch.cuda.CUDAGraph()
        # A capture that fails leaves its stream current: the outer block returns to the usual one.
        with torch.cuda.stream(self._stream):
            self._stream.wait_stream(usual)
            for _ in range(WARM_UPS):
                run()
            with torch.cuda.graph(
                graph, self._pool, self._stream, capture_error_mode="thread_local"
            ):
                run()
        usual.wait_stream(self._stream)
        return graph.replay

    @property
    def held_bytes(self) -> int:
        """What the graphs work in."""
        found = torch.cuda.memory_snapshot(self._pool)  # type: ignore[no-untyped-call]
        return sum(segment["total_size"] for segment in found)

    @property
    def allowed_bytes(self) -> int:
        """What they may hold."""
        free, _ = torch.cuda.mem_get_info(self._device)
        return int(SHARE * (free + torch.cuda.memory_reserved(self._device)))

    def forget(self) -> None:
        """Give the memory back; the caller has let go of every graph."""
        torch.cuda.synchronize(self._device)
        torch.cuda.empty_cache()
        self._pool = torch.cuda.graph_pool_handle()

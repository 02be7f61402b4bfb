"""Adam, for parameters so small that most of a step is bookkeeping."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

FOR_TORCH = ("weight_decay", "amsgrad", "maximize")
"""Options of a parameter group that the shorter way does not know."""


class Adam(torch.optim.Adam):
    """``torch.optim.Adam(..., fused=True)`` to the last bit, its parameter groups and its state_dict included.

    When all parameters of an ensemble are a few thousand numbers, a step of torch's spends more time on preparing the
    arithmetic than on the arithmetic. This one goes straight there. Where more is asked for (closures, hooks, gradient
    scaling, weight decay, ...), the step is torch's.

    Args:
        params: parameters or groups of them, as torch's; real, of one device and dtype in each group.
        lr, betas, eps: as torch's.
    """

    def __init__(
        self, params: Iterable[Any], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8
    ) -> None:
        super().__init__(params, lr=lr, betas=betas, eps=eps, fused=True)
        self._make_capturable_on_gpu()

    def load_state_dict(self, state_dict: Any) -> None:
        """As torch's; a state from a CPU can be loaded on a GPU, and the other way round."""
        super().load_state_dict(state_dict)
        self._make_capturable_on_gpu()

    def _make_capturable_on_gpu(self) -> None:
        """On a GPU torch refuses to capture a step in a CUDA graph without this option, which changes no result."""
        for group in self.param_groups:
            group["capturable"] = all(parameter.is_cuda for parameter in group["params"])

    def step(self, closure: Any = None) -> Any:
        """One step on all parameters that have a gradient; as torch's."""
        if closure is not None or self._asks_for_more():
            return self._torch_step(closure)
        groups = [[p for p in group["params"] if p.grad is not None] for group in self.param_groups]
        if not all(self.state[parameter] for parameters in groups for parameter in parameters):
            return self._torch_step()  # makes the state of those that have none
        with torch.no_grad():
            for group, parameters in zip(self.param_groups, groups, strict=True):
                if parameters:
                    self._step(group, parameters)
        return None

    def _torch_step(self, closure: Any = None) -> Any:
        # The hooks belong to a wrapper, which torch puts around the step of a class when it makes the first instance.
        step: Any = torch.optim.Adam.step
        if not hasattr(step, "hooked"):
            step = self.profile_hook_step(step)
        return step(self, closure)

    def _asks_for_more(self) -> bool:
        """Whether only torch's step does what is wanted; GradScaler says so by attributes of the optimiser."""
        return bool(
            getattr(self, "grad_scale", None) is not None
            or getattr(self, "found_inf", None) is not None
            or self._optimizer_step_pre_hooks
            or self._optimizer_step_post_hooks
            or any(group[name] for group in self.param_groups for name in FOR_TORCH)
            or any(isinstance(group["lr"], Tensor) for group in self.param_groups)
        )

    def _step(self, group: dict[str, Any], parameters: list[Tensor]) -> None:
        states = [self.state[parameter] for parameter in parameters]
        steps = [state["step"] for state in states]
        torch._foreach_add_(steps, 1)
        torch._fused_adam_(
            parameters,
            [parameter.grad for parameter in parameters if parameter.grad is not None],
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            steps,
            lr=group["lr"],
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            weight_decay=0.0,
            eps=group["eps"],
            amsgrad=False,
            maximize=False,
        )

    step.hooked = True  # type: ignore[attr-defined]  # or torch wraps it, at the first instance, in hooks and a profile

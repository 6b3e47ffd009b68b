"""Task adapters on torch: what each adds to the output of a module of transformers, row by row.

A hook on each module adds it, so that rows of several tasks share a batch and no matrix is made anew.
"""

import torch

from mlx_metaembed.folder.task_adapters import LORA


class TaskAdapters:
    """Adds each row's adapter to the modules of a trunk; the rows' numbers are int32 [B], -1 for none."""

    def __init__(self, layers: torch.nn.ModuleList, scale: float):
        self.tasks: torch.Tensor | None = None
        self._scale = scale
        for layer in layers:
            # The first of a layer that is given settings; hooks of the layer itself are not called again.
            layer.self_attn.register_forward_pre_hook(self._take, with_kwargs=True)

    def begin(self, tasks: torch.Tensor | None) -> dict:
        """Set the rows' numbers for a call of the trunk; what the trunk must hand on to its layers."""
        self.tasks = tasks
        return {"tasks": tasks}

    def _take(self, _attention: torch.nn.Module, inputs: tuple, settings: dict) -> tuple[tuple, dict]:
        # A checkpointed layer is computed again after other calls, with the settings of its own.
        self.tasks = settings.pop("tasks")
        return inputs, settings

    def attach(self, module: torch.nn.Module, holder: torch.nn.Module, matrix: str, part: int, parts: int) -> None:
        """Hook a module that computes part `part` of `parts` of a matrix, whose adapters `holder` has by name."""

        def add(_module: torch.nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor:
            if self.tasks is None:
                return output
            rows = self.tasks.clamp(min=0).long()
            first, second = (holder.get_parameter(f"{matrix}{LORA}.{name}") for name in "AB")
            factor = ((self.tasks >= 0) * self._scale).to(output.dtype)[:, None, None]
            if isinstance(module, torch.nn.Embedding):
                return output + first[rows[:, None], inputs[0]] @ second[rows] * factor
            second = second.chunk(parts, dim=1)[part]
            return output + inputs[0] @ first[rows].mT @ second[rows].mT * factor

        module.register_forward_hook(add)

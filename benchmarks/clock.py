"""A callback of transformers' trainers that times the steps alone."""

import time

from transformers import TrainerCallback

from benchmarks.speed import Mark, mark


class Clock(TrainerCallback):
    """Seconds from the first step's begin to the last step's end, and when each step ended."""

    def on_train_begin(self, *_args: object, **_settings: object) -> None:
        self.began = time.perf_counter()
        self.marks: list[Mark] = []

    def on_step_end(self, *_args: object, **_settings: object) -> None:
        self.seconds = time.perf_counter() - self.began
        self.marks.append(mark())

"""What a run says while it trains: in metrics.jsonl and on the screen."""

import math
import time
from collections import deque
from typing import Any, Self

import jax

from flaxgan.config import Config
from flaxgan.data import epoch_of
from flaxgan.methods.updates import Metrics, Sometimes
from flaxgan.models.growth import resolution, steps_left
from flaxgan.runs.metrics_log import MetricsLog
from flaxgan.system.bars import progress_bar
from flaxgan.system.errors import UserError, say

SECONDS_BETWEEN_LINES = 20  # of progress, where there is no terminal for a bar
# that the device has work for, while the host saves a checkpoint or Python is busy with a picture
SECONDS_AHEAD = 0.5
MOST_AHEAD = 512  # steps
SECONDS_TIMED = 1  # at least: a host that was late finds several dispatches done at once


def diverged(step: int) -> UserError:
    """Return an error that says what to do where losses or weights are no longer numbers."""
    return UserError(
        f"the training diverged: at step {step} the losses or weights are no longer numbers. The"
        " last checkpoint, if there is one, is kept; try a lower --learning-rate"
        " (--d-learning-rate, --g-learning-rate), or a larger --batch-size in a new run"
    )


def _length(metrics: Metrics) -> int:
    """Return how many steps there are metrics of: the first axis of each."""
    return len(jax.tree.leaves(metrics)[0])


def _listed(values: Any) -> list[float | None]:
    """Return a metric of some steps; None where a step has none."""
    if isinstance(values, Sometimes):
        return [
            value if present else None
            for value, present in zip(values.value.tolist(), values.present.tolist(), strict=True)
        ]
    return values.tolist()


def duration(seconds: float) -> str:
    """Return a time in words: '45 s', '12 min', '3 h 20 min', '2 d 4 h'."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


class Reporter:
    """Write the metrics of each step to the log and the screen, and look for divergence in them."""

    def __init__(
        self,
        config: Config,
        log: MetricsLog | None,
        step: int,
        total: int,
        per_epoch: int,
        deadline: float = math.inf,
    ):
        """Go on after `step` of `total` steps, but not beyond `deadline`, by time.monotonic.

        `log`: of the process that writes, else None.
        """
        self.config, self.log, self.per_epoch = config, log, per_epoch
        self.deadline, self.speed = deadline, 0.0  # pictures a second, of the last row
        self.step = step  # the last that was reported
        self.ahead = 0  # steps that may be unreported, beyond the newest dispatch
        self._printed = time.monotonic()
        self._times = deque([(self._printed, step)])  # when so many steps were done
        self._bar = progress_bar(initial=step, total=total, unit="step", hidden=log is None)

    def restart_clock(self) -> None:
        """Leave what was done since the last step out of images_per_second.

        To be called when all steps are reported.
        """
        self._times = deque([(time.monotonic(), self.step)])

    def report(self, metrics: Metrics) -> None:
        """Report the steps of a dispatch, of which each metric has a row. Waits for the device.

        Raises UserError if a metric of a step is not finite.
        """
        # waits for the device
        columns = {name: _listed(values) for name, values in jax.device_get(metrics).items()}
        count = _length(metrics)
        due = [step for step in range(self.step + 1, self.step + count + 1) if self._is_due(step)]
        # all steps of a dispatch end at once, as far as the host can tell, and have one speed
        if due:
            speed = self._speed(self.step + count)
            if jax.process_count() == 1:  # several have to do all in the same order
                steps_per_second = speed / self.config.images_per_step
                self.ahead = min(MOST_AHEAD, int(SECONDS_AHEAD * steps_per_second))
        for values in zip(*columns.values(), strict=True):
            self.step += 1
            row = {
                name: value
                for name, value in zip(columns, values, strict=True)
                if value is not None
            }
            if not all(map(math.isfinite, row.values())):
                raise diverged(self.step)
            if self.step in due:
                self._write(row, speed)
        self._bar.update(count)

    def _is_due(self, step: int) -> bool:
        return step in (1, self._bar.total) or step % self.config.log_every == 0

    def _speed(self, step: int) -> float:
        """Return images per second up to this step, over at least SECONDS_TIMED where possible."""
        now = time.monotonic()
        while len(self._times) > 1 and now - self._times[1][0] >= SECONDS_TIMED:
            self._times.popleft()
        began, first = self._times[0]
        self._times.append((now, step))
        return (step - first) * self.config.images_per_step / (now - began)

    def _write(self, metrics: dict[str, float], speed: float) -> None:
        if self.log is None:
            return
        epoch = epoch_of(self.step, self.per_epoch)
        counts = {
            "step": self.step,
            "epoch": epoch,
            "images_seen": self.step * self.config.images_per_step,
        }
        self.speed = speed
        self.log.append(counts | metrics | {"images_per_second": round(speed, 2)})

        bar = self._bar
        where = f"epoch {epoch}/{epoch_of(bar.total, self.per_epoch)}"
        if side := resolution(self.config, self.step):
            where += f"  {side} px"
        losses = "  ".join(
            f"{name} {value:.3f}" for name, value in metrics.items() if name.endswith("loss")
        )
        numbers = f"{losses}  {speed:.1f} images/s"
        now = self.now()
        if now["next_evaluation"] is not None:
            numbers += f"  evaluation in {duration(now['next_evaluation'])}"
        bar.set_description(where, refresh=False)
        bar.set_postfix_str(numbers)
        if bar.disable and (
            self.step == bar.total or time.monotonic() - self._printed >= SECONDS_BETWEEN_LINES
        ):
            left = "" if self.step == bar.total else f"  {duration(now['left'])} left"
            say(f"{where}  step {self.step}/{bar.total}  {numbers}{left}", flush=True)
            self._printed = time.monotonic()

    def now(self) -> dict[str, Any]:
        """Return how far the training is, and the seconds left and to the next evaluation.

        The evaluations' own time is not counted. May be called in any thread.
        """
        step, total, speed = self.step, self._bar.total, self.speed
        per_second = speed / self.config.images_per_step
        every = self.config.steps_every("evaluate_every", self.per_epoch)
        left = min(total, step - step % every + every) - step if every and step < total else None
        by_deadline = max(0.0, self.deadline - time.monotonic())
        return {
            "step": step,
            "total": total,
            "epoch": step / self.per_epoch,
            "images_seen": step * self.config.images_per_step,
            "speed": speed or None,
            "left": min(by_deadline, steps_left(self.config, step, total) / per_second)
            if per_second
            else None,
            "next_evaluation": left / per_second if left and per_second else None,
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

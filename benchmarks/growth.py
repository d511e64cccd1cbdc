"""Time to equal Frechet distance, grown and at full size: python -m benchmarks.growth [FLAGS]

The same networks, data order and number of pictures, with --grow and without; for each seed both
train, one after the other. Counted are the seconds of the training steps and of compiling later
phases' programs, by the clock and by the processors (which others on the machine slow less), but
not start, evaluations and pictures. Each evaluation is a row of the CSV file; runs that it has
already are not made again.
"""

import argparse
import csv
import tempfile
import time
from pathlib import Path
from typing import Any

import jax

import flaxgan
import flaxgan.training
from benchmarks.timing import finish
from flaxgan.recipes import open_recipe
from flaxgan.trainer import Trainer

GROWTH = ("grow", "grow_images", "fade_images")
# what differs from the recipe
RUNS: dict[str, dict[str, Any]] = {"full size": dict.fromkeys(GROWTH), "grown": {"grow": 8}}
METRICS = ("kid", "precision", "recall")
COUNTS = ("step", "images_seen", "resolution", "seconds", "cpu_seconds")
COLUMNS = ("recipe", "run", "seed", "flags", "hardware", "version", *COUNTS, "fd", *METRICS)
LEVELS = 8  # distances at which the two are compared


class Timed(Trainer):
    """Counts the seconds of its steps, and of compiling for later phases."""

    spent = (0.0, 0.0)  # by the clock, by the processors

    def _timed(self, call: Any, *args: Any, **options: Any) -> Any:
        began = time.perf_counter(), time.process_time()
        result = jax.block_until_ready(call(*args, **options))
        ended = time.perf_counter(), time.process_time()
        Timed.spent = tuple(
            total + after - before
            for total, before, after in zip(Timed.spent, began, ended, strict=True)
        )
        return result

    def train_steps(self, *args: Any) -> Any:
        return self._timed(super().train_steps, *args)

    def compile(self, *counts: int, stage: int = 0) -> None:
        if stage:
            self._timed(super().compile, *counts, stage=stage)
        else:
            super().compile(*counts)


def trained(fields: dict[str, Any], about: dict[str, Any]) -> list[dict[str, Any]]:
    """Train a run; return a row for each of its evaluations."""
    rows: list[dict[str, Any]] = []
    Timed.spent = (0.0, 0.0)

    def note(row: dict[str, Any]) -> None:
        if "images_per_second" in row:
            return
        seconds, cpu_seconds = (f"{value:.1f}" for value in Timed.spent)
        for metric in ("fd", "kid"):
            (row[metric],) = (x for name, x in row.items() if name.startswith(f"{metric}_"))
        values = {name: f"{row[name]:.4g}" for name in ("fd", *METRICS)}
        counts = {name: row[name] for name in ("step", "images_seen")}
        counts |= {"resolution": row.get("resolution", fields["image_size"])}
        rows.append(about | counts | {"seconds": seconds, "cpu_seconds": cpu_seconds} | values)

    with tempfile.TemporaryDirectory() as folder:
        if not flaxgan.train(run_dir=Path(folder) / "run", on_log=note, **fields).finished:
            raise SystemExit("interrupted; this run's rows are not written")
    return rows


def first_at(rows: list[dict[str, Any]], level: float, column: str) -> float | None:
    """Return what a run had spent when its distance first was no more than `level`."""
    return next((float(row[column]) for row in rows if float(row["fd"]) <= level), None)


def compared(rows: list[dict[str, Any]], seed: str) -> list[dict[str, Any]]:
    """Return for some distances, which both runs of a seed reached, what each had spent.

    Pictures that are enlarged don't count.
    """
    size = max((int(row["resolution"]) for row in rows), default=0)
    rows = [row for row in rows if row["seed"] == seed and int(row["resolution"]) == size]
    of = {name: [row for row in rows if row["run"] == name] for name in RUNS}
    if not all(of.values()):
        return []
    lowest = max(min(float(row["fd"]) for row in run) for run in of.values())
    highest = min(float(run[0]["fd"]) for run in of.values())
    levels = [lowest + (highest - lowest) * k / (LEVELS - 1) for k in range(LEVELS)]
    table = []
    for level in levels if highest > lowest else [lowest]:
        spent = {name: first_at(run, level, "seconds") for name, run in of.items()}
        cpu = {name: first_at(run, level, "cpu_seconds") for name, run in of.items()}
        row: dict[str, Any] = {"seed": seed, "fd": f"{level:.1f}"}
        row |= {f"{name} (s)": spent[name] for name in RUNS}
        for words, values in (("ratio", spent), ("ratio by processors", cpu)):
            full, grown = (values[name] for name in RUNS)
            row[words] = f"{full / grown:.2f}" if full and grown else ""
        table.append(row)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--recipe", default="flowers_best", help="what the other flags don't say")
    parser.add_argument("--data-dir")
    parser.add_argument("--image-size", type=int)
    parser.add_argument("--features", type=int)
    parser.add_argument("--d-features", type=int)
    parser.add_argument("--images", type=int, default=200_000, help="of each run")
    parser.add_argument("--evaluations", type=int, default=20, help="of each run")
    parser.add_argument("--evaluate-num", type=int, default=2048)
    parser.add_argument("--seeds", default="0,1")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--hardware", default="", help="what the CSV file says it ran on")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/growth.csv"))
    args = {name: value for name, value in vars(parser.parse_args()).items() if value is not None}
    seeds, output, hardware = args.pop("seeds").split(","), args.pop("output"), args.pop("hardware")
    recipe = args.pop("recipe")
    config, _ = open_recipe(recipe)
    every = f"{max(1, args['images'] // config.batch_size // args.pop('evaluations'))} steps"
    fields = {"image_size": min(config.image_size)} | args | {"epochs": None}
    fields = config.chosen() | fields | {"evaluate_every": every, "checkpoint_every": every}
    shown = ("image_size", "features", "d_features", "batch_size", "images")
    given = {name: value for name in shown if (value := fields.get(name))}
    flags = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in given.items())
    alike = {"recipe": recipe, "flags": flags}
    flaxgan.training.Trainer = Timed  # type: ignore[misc]
    rows: list[dict[str, Any]] = []
    if output.exists():
        with output.open(encoding="utf-8", newline="") as file:
            rows = [*csv.DictReader(file)]
    for number, seed in enumerate(seeds):
        for name in [*RUNS][:: -1 if number % 2 else 1]:  # neither always has the warm machine
            about = alike | {"run": name, "seed": seed}
            if any(about.items() <= row.items() for row in rows):
                continue
            about |= {"hardware": hardware, "version": f"jax {jax.__version__}"}
            rows += trained(fields | {"seed": int(seed)} | RUNS[name], about)
            output.parent.mkdir(parents=True, exist_ok=True)
            with output.open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
                writer.writeheader()
                writer.writerows(rows)
    rows = [row for row in rows if alike.items() <= row.items()]
    if table := [row for seed in seeds for row in compared(rows, seed)]:
        finish("growth", table)


if __name__ == "__main__":
    main()

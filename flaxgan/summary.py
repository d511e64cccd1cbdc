"""What a configuration comes to, in words: in full for --dry-run, in two lines where a training
begins.
"""

import time
from typing import Any

import jax

from flaxgan.config import Config
from flaxgan.data import Dataset, steps_per_epoch
from flaxgan.data.around import blank
from flaxgan.methods import translates
from flaxgan.methods.state import Network, networks
from flaxgan.presets import described
from flaxgan.resolve import cut_to_time, facts_of, is_cut_to_time, measured_speed, resolved
from flaxgan.runs.caller import Caller
from flaxgan.runs.folder import Run
from flaxgan.trainer import Trainer, require_divisible


def _parameters(network: Network) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(network.params))


def summary(run: Run, devices: list[jax.Device]) -> str:
    """Return the resolved configuration, the preset's choices, the networks and what a run takes.

    Times a few steps on black images, to tell how long the run takes and how much memory. Writes
    nothing.
    """
    facts = facts_of(run, devices, run.config.hours and 3600 * run.config.hours)
    run = resolved(run, facts)
    config = run.config
    require_divisible(config, devices)
    dataset = blank(config, run.source, config.images_per_step)
    trainer = Trainer(config, devices, dataset)
    if is_cut_to_time(run):
        run = cut_to_time(run, facts, time.monotonic() + (facts.seconds or 0), trainer, 0)
        config = run.config
    lines = [f"{name:20} {value}" for name, value in config.to_dict().items()]
    lines.append(f"{'run_dir':20} {run.folder}" + (" (resumed)" if run.resumed else ""))
    for name, network in networks(trainer.state_shape).items():
        lines.append(f"\n{name}: {_parameters(network):,} parameters")
        for path, leaf in jax.tree.leaves_with_path(network.params):
            shape = " x ".join(map(str, leaf.shape))
            lines.append(
                f"  {jax.tree_util.keystr(path, simple=True, separator='/'):28} {shape:>20}"
                f" {leaf.size:>12,}"
            )
    if run.chosen:
        lines.append("\n" + described(run.chosen, facts))
    return "\n".join([*lines, "", _costs(config, len(run.source), trainer)])


def _costs(config: Config, num_images: int, trainer: Trainer) -> str:
    """Return lines on the time a run takes and the memory of a step; times a few steps."""
    steps = min(config.lengths(steps_per_epoch(num_images, config.images_per_step)).values())
    speed = measured_speed(trainer)
    minutes = steps * config.images_per_step / speed / 60
    memory = trainer.program.memory_analysis()
    used = f", {_bytes(memory) / 2**30:.1f} GiB of memory for a step" if memory else ""
    return (
        f"estimate: {steps:,} steps, {steps * config.images_per_step:,} pictures at {speed:,.0f} a"
        f" second (a few steps timed): {minutes:,.0f} min, evaluations and pictures not"
        f" counted{used}"
    )


def _bytes(memory: Any) -> int:
    return (
        memory.argument_size_in_bytes
        + memory.output_size_in_bytes
        + memory.temp_size_in_bytes
        - memory.alias_size_in_bytes
    )


def describe(config: Config, dataset: Dataset, devices: list[jax.Device], state: Any) -> str:
    """Return two lines on what is trained, for people. Of the `state` its shapes are enough."""
    height, width = config.image_size
    names = dataset.class_names
    data = f"{len(dataset)} pictures, {height}x{width}x{config.channels}"
    if dataset.second is not None:
        data += f", to become like {len(dataset.second)} others"
    if dataset.held_out is not None:
        data += f"; {len(dataset.held_out)} held out"
    if dataset.captions is not None:
        data += f"; {len(dataset.captions.texts):,} sentences"
    if names:
        data += f", {len(names)} classes ({', '.join(names[:4])}{', …' if len(names) > 4 else ''})"
    sizes = [f"{name} {_parameters(net):,} parameters" for name, net in networks(state).items()]
    on = f"on {len(devices)} {devices[0].device_kind}"
    return f"{config.dataset}: {data}\n{', '.join([*sizes, on])}"


def nothing_to_do(run: Run, done: int, total: int, per_epoch: int) -> str:
    """Return why a run that is resumed has no step to do, and what to raise for more."""
    ends = run.config.lengths(per_epoch).items()
    limits = " and ".join(name for name, end in ends if end == total)
    if done > total:
        return (
            f"{run.folder} has done {done} steps of {total}; to go on leave {limits} out, or raise"
            " them"
        )
    return f"{run.folder} is finished: {done} of {total} steps done; for more, raise {limits}"


def _resume(run: Run, caller: Caller) -> str:
    return caller.resume(run.folder) + (" --distributed ..." if run.config.distributed else "")


def stopped(run: Run, caller: Caller, by: str, done: int, total: int) -> str:
    """Return what stopped a run, and how to go on."""
    return (
        f"stopped by {by} after step {done} of {total}, all saved; to resume:\n"
        f"{_resume(run, caller)}"
    )


def ended(run: Run, caller: Caller, done: int, total: int | None, illness: str | None) -> str:
    """Return what was reached, what is wrong with it if anything, and in three lines what is next.

    `total`: the steps there were to be, if --hours ended the run before them.
    """
    lines = [f"ended after {done} steps, but {illness}" if illness else f"finished {done} steps"]
    if total is not None:
        lines.insert(
            0,
            f"--hours {run.config.hours} are over after step {done} of {total}; to go on:"
            f" {_resume(run, caller)}",
        )
    use = ("translate", caller.translate) if translates(run.config) else ("sample", caller.sample)
    lines += [
        f"to look:      {run.folder / 'report.html'}",
        f"to {use[0] + ':':10} {use[1](run.folder)}",
        f"to measure:   {caller.evaluate(run.folder)}",
    ]
    return "\n".join(lines)

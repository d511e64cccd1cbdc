"""What a configuration comes to, in words: in full for --dry-run, in two lines where a training begins."""

import jax

from flaxgan.config import Config
from flaxgan.data import ImageDataset
from flaxgan.run import Run
from flaxgan.state import NETWORKS, GANState, state_shape


def _parameters(state: GANState, network: str) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(getattr(state, network).params))


def summary(run: Run) -> str:
    """The resolved configuration, and each network's parameters with their shapes and counts. Computes nothing."""
    lines = [f"{name:20} {value}" for name, value in run.config.to_dict().items()]
    lines.append(f"{'run_dir':20} {run.folder}" + (" (resumed)" if run.resumed else ""))
    state = state_shape(run.config)
    for name in NETWORKS:
        lines.append(f"\n{name}: {_parameters(state, name):,} parameters")
        for path, leaf in jax.tree.leaves_with_path(getattr(state, name).params):
            shape = " x ".join(map(str, leaf.shape))
            lines.append(f"  {jax.tree_util.keystr(path, simple=True, separator='/'):28} {shape:>20} {leaf.size:>12,}")
    return "\n".join(lines)


def describe(config: Config, dataset: ImageDataset, devices: list[jax.Device], state: GANState) -> str:
    """Two lines on what is trained, for the person who started it. `state`: its shapes are enough."""
    height, width = config.image_size
    names = dataset.class_names
    classes = f", {len(names)} classes ({', '.join(names[:4])}{', …' if len(names) > 4 else ''})" if names else ""
    return (
        f"{config.dataset}: {len(dataset.images)} pictures, {height}x{width}x{config.channels}{classes}\n"
        + ", ".join(f"{name} {_parameters(state, name):,} parameters" for name in NETWORKS)
        + f", on {len(devices)} {devices[0].device_kind}"
    )

"""What a configuration comes to, in words: for --dry-run."""

import jax

from flaxgan.run import Run
from flaxgan.state import NETWORKS, create_state


def summary(run: Run) -> str:
    """The resolved configuration, and each network's parameters with their shapes and counts. Computes nothing."""
    lines = [f"{name:20} {value}" for name, value in run.config.to_dict().items()]
    lines.append(f"{'run_dir':20} {run.folder}" + (" (resumed)" if run.resumed else ""))
    shapes = jax.eval_shape(lambda: create_state(run.config))
    for name in NETWORKS:
        leaves = jax.tree.leaves_with_path(getattr(shapes, name).params)
        lines.append(f"\n{name}: {sum(leaf.size for _, leaf in leaves):,} parameters")
        for path, leaf in leaves:
            shape = " x ".join(map(str, leaf.shape))
            lines.append(f"  {jax.tree_util.keystr(path, simple=True, separator='/'):28} {shape:>20} {leaf.size:>12,}")
    return "\n".join(lines)

"""Convert trees to the nested dictionaries that a checkpoint holds, and back."""

from typing import Any

import jax


def names(path: Any) -> tuple[str, ...]:
    """Return the keys that lead to a leaf, as Orbax writes them.

    What holds it may be a class with fields, or a dictionary.
    """
    return tuple(
        str(getattr(key, "name", getattr(key, "key", getattr(key, "idx", None)))) for key in path
    )


def shapes(tree: Any) -> dict[str, tuple[int, ...]]:
    """Return the shape of each leaf of a tree, by the path to it."""
    return {
        jax.tree_util.keystr(path, simple=True): tuple(leaf.shape)
        for path, leaf in jax.tree.leaves_with_path(tree)
    }


def nested(tree: Any) -> dict[str, Any]:
    """Return the leaves of a tree in dictionaries, which may lack some that a checkpoint has."""
    tops: dict[str, Any] = {}
    for path, leaf in jax.tree.leaves_with_path(tree):
        *above, last = names(path)
        node = tops
        for name in above:
            node = node.setdefault(name, {})
        node[last] = leaf
    return tops


def filled(tree: Any, values: Any) -> Any:
    """Return a tree with the leaves that `values`, made by `nested`, have in their places."""
    leaves = {names(path): leaf for path, leaf in jax.tree.leaves_with_path(values)}
    return jax.tree.map_with_path(lambda path, _: leaves[names(path)], tree)

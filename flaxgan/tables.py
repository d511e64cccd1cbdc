"""Pictures in named columns: what a translation is made from, and the result."""

import math

import numpy as np

from flaxgan.plots import GAP, enlarged, grid, name_columns

LEAST_WIDTH = 64  # of a column, in pixels; smaller pictures are enlarged
BETWEEN = 8  # pixels between groups of columns


def columns_sheet(columns: dict[str, np.ndarray], groups: int = 1) -> np.ndarray:
    """Lay sets of as many images out as columns, with their names above: uint8 (H, W, C).

    `columns`: uint8 (N, h, w, 1 or 3) by name, of one size. Row i of a group has image i of each
    set; there are `groups` of columns side by side.
    """
    channels = max(images.shape[-1] for images in columns.values())
    first = next(iter(columns.values()))
    scale = max(1, math.ceil(LEAST_WIDTH / first.shape[2]))
    sets = [
        enlarged(x.repeat(channels, -1) if x.shape[-1] < channels else x, scale)
        for x in columns.values()
    ]
    rows = -(-len(first) // groups)
    sheets: list[np.ndarray] = []
    for start in range(0, len(first), rows):
        parts = [x[start : start + rows] for x in sets]
        inside = np.stack(parts, 1).reshape(-1, *sets[0].shape[1:])
        sheet = grid(inside, len(sets))
        missing = rows * (sets[0].shape[1] + GAP) + GAP - len(sheet)
        sheet = np.pad(sheet, ((0, missing), (0, 0), (0, 0)), constant_values=255)
        sheets += [name_columns(sheet, [*columns]), np.full((1, BETWEEN, channels), 255, np.uint8)]
    height = len(sheets[0])
    return np.concatenate([np.broadcast_to(x, (height, *x.shape[1:])) for x in sheets[:-1]], 1)

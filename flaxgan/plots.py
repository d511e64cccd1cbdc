"""Pictures of a run: grids, and real beside generated. Each file is replaced whole."""

import math
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from flaxgan.system.files import replacing
from flaxgan.system.fonts import font_for, import_matplotlib, legible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_READ = 2**26  # pixels of a file that is opened
GAP = 2  # pixels between the pictures of a grid
LONGEST_NAME = 32  # letters of a row's name


def grid_shape(n: int, h: int, w: int, columns: int | None = None) -> tuple[int, int, int]:
    """Return the columns of a grid of `n` images, and its height and width in pixels.

    It is as square as it gets unless told.
    """
    columns = columns or min(n, math.ceil(math.sqrt(n * h / w)))
    return columns, -(-n // columns) * (h + GAP) + GAP, columns * (w + GAP) + GAP


def grid(images: np.ndarray, columns: int | None = None) -> np.ndarray:
    """Lay images, uint8 (N, H, W, C), beside each other on white, as grid_shape says.

    Returns (height, width, C).
    """
    n, h, w, c = images.shape
    columns, *size = grid_shape(n, h, w, columns)
    sheet = np.full((*size, c), 255, np.uint8)
    for i, image in enumerate(images):
        y, x = (GAP + (i // columns) * (h + GAP), GAP + (i % columns) * (w + GAP))
        sheet[y : y + h, x : x + w] = image
    return sheet


def name_rows(sheet: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Write a name to the left of each row of a grid, black on white."""
    row = (sheet.shape[0] - GAP) / len(names)
    names = [" ".join(name.split()) for name in names]
    shown = [
        name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…" for name in names
    ]
    font, shown = font_for(shown, max(11, row / 8))
    margin = Image.new(
        "L", (math.ceil(max(map(font.getlength, shown))) + 2 * GAP, sheet.shape[0]), 255
    )
    draw = ImageDraw.Draw(margin)
    for i, name in enumerate(shown):
        draw.text(
            (margin.width - GAP, (i + 0.5) * row + GAP / 2), name, fill=0, font=font, anchor="rm"
        )
    return np.concatenate([np.asarray(margin)[..., None].repeat(sheet.shape[-1], -1), sheet], 1)


def name_columns(sheet: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Write names above the columns of a sheet, black on white."""
    width = (sheet.shape[1] - GAP) / len(names)
    font, names = font_for([*names], max(11, width / 8))
    strip = Image.new("L", (sheet.shape[1], math.ceil(max(11, width / 8) * 1.5)), 255)
    draw = ImageDraw.Draw(strip)
    for i, name in enumerate(names):
        draw.text((GAP + (i + 0.5) * width, strip.height / 2), name, fill=0, font=font, anchor="mm")
    return np.concatenate([np.asarray(strip)[..., None].repeat(sheet.shape[-1], -1), sheet])


def table(images: np.ndarray, rows: Sequence[str], columns: Sequence[str]) -> np.ndarray:
    """Lay images, uint8 (N, H, W, C), out as a table with names beside its rows and above its
    columns.
    """
    sheet = grid(images, len(columns))
    beside = name_rows(sheet, rows)[:, : -sheet.shape[1]]
    headed = name_columns(sheet, columns)
    over = ((headed.shape[0] - sheet.shape[0], 0), (0, 0), (0, 0))
    return np.concatenate([np.pad(beside, over, constant_values=255), headed], 1)


def enlarged(images: np.ndarray, scale: int, smooth: bool = False) -> np.ndarray:
    """Enlarge uint8 (N, H, W, C) to (N, scale * H, scale * W, C).

    Pixels become squares, or with `smooth` flow (Lanczos).
    """
    n, h, w, c = images.shape
    if not smooth:
        return images.repeat(scale, 1).repeat(scale, 2)
    size = (w * scale, h * scale)
    resized = [
        Image.fromarray(_squeezed(image)).resize(size, Image.Resampling.LANCZOS) for image in images
    ]
    return np.stack([np.asarray(image) for image in resized]).reshape(n, *size[::-1], c)


def _squeezed(pixels: np.ndarray) -> np.ndarray:
    """Drop the channel axis of grey, as Pillow and matplotlib have it: (H, W, 1) -> (H, W)."""
    return pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels


def save_animation(
    path: Path, frames: Sequence[np.ndarray], durations: Sequence[int], lossless: bool = True
) -> None:
    """Write uint8 (H, W, C), each for so many milliseconds, as GIF or WebP, as the name says.

    They begin again at the end. `lossless`: of WebP, which is else a fifth as large.
    """
    first, *others = (Image.fromarray(_squeezed(frame)) for frame in frames)
    with replacing(path) as temporary:
        first.save(
            temporary,
            path.suffix[1:].upper(),
            save_all=True,
            append_images=others,
            duration=[*durations] if others else durations[0],
            loop=0,
            lossless=lossless,
            quality=90,
        )


def open_png(path: Path) -> Image.Image:
    """Return the picture in a PNG file of a run's folder, which may be a stranger's.

    Raises OSError, ValueError or SyntaxError if it can't be read, or is no file but a link or pipe.
    """
    if not stat.S_ISREG(path.lstat().st_mode):
        raise ValueError(f"{path} is no file of its own")
    with Image.open(path, formats=["PNG"]) as picture:
        if picture.width * picture.height > MOST_READ:
            raise ValueError(f"{path} is too large")
        picture.load()
        return picture


def save_image(path: Path, pixels: np.ndarray) -> None:
    """Write uint8 (H, W, 1 or 3) as PNG, or as JPEG where the name says so."""
    # the colours as sharp as the brightness
    jpeg = {"format": "JPEG", "quality": 95, "subsampling": 0}
    with replacing(path) as temporary:
        Image.fromarray(_squeezed(pixels)).save(
            temporary, **jpeg if path.suffix.lower() in (".jpg", ".jpeg") else {"format": "PNG"}
        )


def new_figure(width: float, height: float, title: str = "") -> "Figure":
    """Return an empty figure, in inches, whatever backend matplotlib has.

    `title`: as it is, whatever a folder may be called.
    """
    import_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    if title:
        figure.suptitle(legible(title), parse_math=False)
    return figure


def save_figure(path: Path, figure: "Figure") -> None:
    """Write a figure as PNG."""
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)


def _show(axes: "Axes", pixels: np.ndarray, title: str) -> None:
    axes.imshow(_squeezed(pixels), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axes.set_title(title)
    axes.axis("off")


def save_side_by_side(
    path: Path, grids: dict[str, np.ndarray], title: str, columns: int | None = None
) -> None:
    """Draw two named sets of as many images, uint8 (N, H, W, C), side by side at the same scale."""
    figure = new_figure(12, 6.4, title)
    for axes, (name, images) in zip(figure.subplots(1, 2), grids.items(), strict=True):
        _show(axes, grid(images, columns), name)
        axes.set_anchor("N")  # level, though one may have fewer rows
    save_figure(path, figure)


Pair = tuple[np.ndarray, np.ndarray, float]


def save_neighbours(
    path: Path,
    rows: Mapping[str, Sequence[Pair]],
    distances: np.ndarray,
    real_distances: np.ndarray,
) -> None:
    """Draw rows of (generated, nearest real, distance), and below them all distances.

    These are shown beside those of real to real.
    """
    columns = max(map(len, rows.values()))
    figure = new_figure(max(9, 1 + columns), 3.2 * len(rows) + 3)
    *bands, below = figure.subfigures(len(rows) + 1, 1, squeeze=False)[:, 0]
    for band, (name, pairs) in zip(bands, rows.items(), strict=True):
        band.suptitle(
            f"{name}: generated above, its nearest real picture below, their distance in feature"
            " space"
        )
        cells = band.subplots(2, columns, squeeze=False)
        for cell in cells.flat:
            cell.axis("off")
        for i, (generated, real, distance) in enumerate(pairs):
            _show(cells[0, i], generated, "")
            _show(cells[1, i], real, f"{distance:.3g}")
    axes = below.subplots()
    bins = np.linspace(0, max(distances.max(), real_distances.max()) * 1.02 + 1e-6, 60)
    for name, values in {
        "real to the nearest other real": real_distances,
        "generated to the nearest real": distances,
    }.items():
        axes.hist(
            values, bins, weights=np.full(len(values), 1 / len(values)), alpha=0.55, label=name
        )
    axes.set_xlabel("distance in feature space")
    axes.set_ylabel("share of pictures")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), frameon=False)
    save_figure(path, figure)

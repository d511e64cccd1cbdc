"""Which sizes of picture the networks can build, and how wide their stages are."""

from flaxgan.system.errors import UserError

MOST_WIDENING = 8  # a stage is at most this many times --features wide, as the paper's at 64x64


def _halve(height: int, width: int) -> tuple[int, int, int]:
    """Halve height and width while they can be; return the last ones, and how often."""
    halvings = 0
    while height % 2 == width % 2 == 0 and min(height, width) >= 8:
        height, width, halvings = height // 2, width // 2, halvings + 1
    return height, width, halvings


def _can_be_built(height: int, width: int) -> bool:
    base_height, base_width, halvings = _halve(height, width)
    return halvings >= 2 and 4 <= min(base_height, base_width) <= 15


def _nearest(height: int, width: int) -> list[str]:
    """Return the two nearest sizes that can be built; square ones for a square one."""
    short, long = sorted((height, width))
    sizes = set()
    for unit in (2**halvings for halvings in range(2, 11)):
        for side in range(4 * unit, 16 * unit, unit):
            down = max(side, long // unit * unit)
            sizes |= {
                (side, other)
                for other in ((side,) if short == long else (down, down + unit))
                if _can_be_built(side, other)
            }
    near = sorted(sizes, key=lambda size: abs(size[0] - short) + abs(size[1] - long))[:2]
    oriented = sorted((b, a) if height > width else (a, b) for a, b in near)
    return [f"{h}x{w}" if h != w else str(h) for h, w in oriented]


def base_size(image_size: tuple[int, int]) -> tuple[int, int]:
    """Return height and width of the smallest feature map: (64, 64) -> (4, 4), (48, 64) -> (6, 8).

    Raises UserError for a size that the networks can't build.
    """
    height, width, halvings = _halve(*image_size)
    if not _can_be_built(*image_size):
        raise UserError(
            f"--image-size {image_size[0]}x{image_size[1]} can't be built: each stage of the"
            " networks halves height and width, at least twice and until the shorter side is 4 to"
            f" 15, but halving evenly stops at {height}x{width} after {halvings}; try a size like"
            f" {' or '.join(_nearest(*image_size))}"
        )
    return height, width


def require_resolution(attention: int | None, image_size: tuple[int, int]) -> None:
    """Raise UserError unless some of the feature maps have this shorter side."""
    smallest, side = min(base_size(image_size)), min(image_size)
    there_are = [side // 2**k for k in range(1, 10) if side // 2**k > smallest]
    if attention is not None and attention not in there_are:
        raise UserError(
            f"--attention {attention}: at this --image-size there are"
            f" {' and '.join(map(str, there_are))}"
        )


def stage_widths(image_size: tuple[int, int], features: int) -> list[int]:
    """Return the channels after each halving: (64, 64), 64 -> [64, 128, 256, 512]."""
    halvings = (image_size[0] // base_size(image_size)[0]).bit_length() - 1
    return [features * min(2**stage, MOST_WIDENING) for stage in range(halvings)]

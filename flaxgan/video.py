"""Make a film of a run, of its training or between its pictures: python -m flaxgan.video --help"""

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import flaxgan
from flaxgan.fields import typed
from flaxgan.flags import Parser, add_flags_of_a_reader, names, path, seeds, whole_number
from flaxgan.registry import load_plugin
from flaxgan.system.errors import UserError, exit_on_user_error, say

if TYPE_CHECKING:
    import numpy as np

    from flaxgan.film import Film

KINDS = ("training", "interpolation")
SEEDS, FRAMES = [0, 1, 2, 3], 24
FPS = {"training": 8, "interpolation": 24}
HOLD = 1.5  # seconds that the last picture of a training stays
# of interpolation alone, and how they are given
OF_PICTURES = ("seeds", "labels", "prompts", "truncation", "frames", "checkpoint")
SPELLED = {"labels": "class", "prompts": "prompt"}


def _parser() -> Parser:
    parser = Parser(
        prog="python -m flaxgan.video",
        description="Make a film of a run: of its training, or from picture to picture.",
    )
    add = parser.add_argument
    add("run_dir", type=path, metavar="RUN_DIR", help="the run's folder")
    add(
        "--of",
        choices=KINDS,
        default="training",
        help=(
            "training: the pictures of the run's folder, after each epoch; interpolation: from seed"
            " to seed, and back to the first (default: training)"
        ),
    )
    add(
        "--output",
        type=path,
        metavar="FILE",
        help="a .webp, a .gif, or an .mp4 if ffmpeg is on the PATH (default: training.webp or so)",
    )
    add("--fps", type=float, metavar="FLOAT", help="frames a second (default: 8; between: 24)")
    add("--seeds", type=seeds, metavar="SEEDS", help="of interpolation (default: 0,1,2,3)")
    add(
        "--frames",
        type=whole_number(1),
        metavar="INT",
        help="of interpolation: from each seed to the next (default: 24)",
    )
    add(
        "--class",
        dest="labels",
        metavar="NAMES",
        help="of interpolation, of a conditional run: all, or names or numbers with commas",
    )
    add(
        "--prompt",
        dest="prompts",
        action="append",
        metavar="TEXT",
        help="of interpolation, of a run that learnt words: what is to be seen; several in a grid",
    )
    add("--truncation", type=float, metavar="FLOAT", help="of interpolation: as of sample")
    add(
        "--scale",
        type=whole_number(1),
        choices=range(1, 17),
        default=1,
        metavar="INT",
        help="so many times as large (default: 1)",
    )
    add(
        "--resample",
        choices=("nearest", "smooth"),
        help="of --scale: pixels as squares, or smoothed (Lanczos) (default: nearest)",
    )
    add_flags_of_a_reader(parser)
    return parser


def _of_training(args: argparse.Namespace, film: "Film") -> "Iterable[np.ndarray]":
    """Return the pictures of a run's folder, the oldest first."""
    from flaxgan.film import read_frame
    from flaxgan.runs.snapshots import grids
    from flaxgan.runs.trained import read_config, run_of

    if given := [name for name in OF_PICTURES if getattr(args, name) is not None]:
        flags = ", ".join(f"--{SPELLED.get(name, name)}" for name in given)
        raise UserError(f"{flags}: for --of interpolation; leave it out, or say that")
    per_epoch = run_of(*read_config(args.run_dir, any_version=True), args.run_dir).per_epoch
    files = grids(args.run_dir, per_epoch)
    if not files:
        raise UserError(f"{args.run_dir} has no pictures in generated_images/ yet; let it train")
    first = read_frame(files[0])
    film.require_fit(len(files), first.shape[:2], streamed=True)

    def frames() -> "Iterable[np.ndarray]":
        for file in files:
            frame = read_frame(file)
            if frame.shape != first.shape:
                raise UserError(
                    f"{file} is of another size than {files[0].name}; remove what is not the run's"
                )
            yield frame

    return frames()


def _of_interpolation(args: argparse.Namespace, film: "Film") -> "Iterable[np.ndarray]":
    """Return pictures from seed to seed and back to the first, of all that is asked in one grid."""
    import numpy as np

    from flaxgan.plots import grid, grid_shape
    from flaxgan.request import Request

    stops, frames = args.seeds or SEEDS, args.frames or FRAMES
    prompts = args.prompts or []
    if len(stops) == 1 and len(prompts) > 1:  # from prompt to prompt, and back to the first
        round_trip, prompts = stops, [*prompts, prompts[0]]
    else:
        round_trip = stops if len(stops) > 1 and stops[0] == stops[-1] else [*stops, stops[0]]
    asked = {"labels": args.labels, "prompts": prompts}
    request = Request(interpolate=round_trip, frames=frames, truncation=args.truncation, **asked)
    model = flaxgan.load(args.run_dir, args.checkpoint, device=args.device)
    ids = None if args.labels is None else model.class_ids(names(args.labels, model.class_names))
    classes, num = max(1, len(ids or []), request.prompt_rows), request.each - 1
    size = model.config.image_size
    film.require_fit(num, size if classes == 1 else grid_shape(classes, *size)[1:])
    images = model.sample(
        labels=ids,
        truncation=args.truncation,
        interpolate=round_trip,
        frames=frames,
        prompt=prompts or None,
    )
    rows = np.stack(np.split(images, classes), 1)[:num]  # the last ones are the first
    return rows[:, 0] if classes == 1 else map(grid, rows)


def _film(args: argparse.Namespace) -> None:
    """Write the film that the arguments ask for; raise UserError before if it can't be."""
    from flaxgan.data.reading import printable  # the heavy imports begin here
    from flaxgan.film import Film
    from flaxgan.runs.trained import read_config, require_apart

    output = args.output or Path(f"{args.of}.webp")
    hold = HOLD if args.of == "training" else 0
    film = Film(output, args.fps or FPS[args.of], hold, args.scale, args.resample == "smooth")
    config = read_config(args.run_dir, any_version=True)[1]
    require_apart(output, args.run_dir, config)
    film.require_writable()
    frames = {"training": _of_training, "interpolation": _of_interpolation}[args.of](args, film)
    film.write(frames)
    say(f"a film in {printable(output)}, {output.stat().st_size / 1e6:.1f} MB")


def main(argv: Sequence[str] | None = None) -> None:
    """Make a film as the flags say."""
    with exit_on_user_error():
        args = _parser().parse_args(argv)
        if args.fps is not None and not 0.1 <= args.fps <= 100:
            raise UserError(f"--fps is from 0.1 to 100 frames a second, not {typed(args.fps)}")
        for plugin in args.plugin:
            load_plugin(plugin)
        _film(args)


if __name__ == "__main__":
    main()

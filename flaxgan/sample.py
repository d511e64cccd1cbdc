"""Sample from a trained run: python -m flaxgan.sample --help"""

import argparse
import difflib
import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flaxgan.errors import UserError, exit_on_user_error
from flaxgan.files import require_writable
from flaxgan.flags import Parser, add_flags_of_a_reader, path, whole_number

HIGHEST = {".gif": 2**16 - 1, ".webp": 2**14 - 1}  # in pixels, of an animation


def _check_output(output: Path) -> None:
    """Raises UserError, before anything is computed, if `output` can't be written or would mix with what is there."""
    if output.name.lower() in (".png", ".npy", *HIGHEST):
        raise UserError(f"--output {output} has no name before {output.name}")
    if output.suffix.lower() not in ("", ".png", ".npy", *HIGHEST):
        raise UserError(
            f"--output {output}: {output.suffix} is not known; name a .png (one grid), a .npy, a folder, "
            "or with --interpolate a .gif or .webp"
        )
    require_writable(output if output.suffix else output / "0.png")
    if not output.suffix and any(output.iterdir()):
        raise UserError(f"--output {output} is not an empty folder; name another")


def _class_ids(asked: str, counts: dict[str, int]) -> list[int]:
    """'all', or names and numbers with commas between -> ids. Raises UserError for a class that was not trained."""
    from flaxgan.sampling import trained_classes

    names, trained = [*counts], trained_classes(counts)
    if asked == "all" and asked not in names:
        return trained
    ids = []
    for word in asked.split(",") if asked not in names else [asked]:
        word = word if word in names else word.strip()
        if word in names:
            ids.append(names.index(word))
        elif word.isdecimal() and int(word) < len(names):
            ids.append(int(word))
        else:
            near = difflib.get_close_matches(word, names, 3)
            raise UserError(
                f"--class {word}: there is no such class"
                + (f"; did you mean {' or '.join(near)}?" if near else ".")
                + f" There are {len(names)}, by name or number: {', '.join(names[:12])}"
                + (", …" if len(names) > 12 else "")
            )
        if ids[-1] not in trained:
            raise UserError(f"--class {word}: the run had no picture of that class; name another")
    return ids


def sample_run(args: argparse.Namespace) -> None:
    """Write what the arguments ask for from a checkpoint of a run (see checkpoint.load). Picture i depends on seed and i alone.

    Raises UserError if the folder is no run, has no such checkpoint or class, or the output can't be written.
    """

    from flaxgan.checkpoint import load
    from flaxgan.devices import set_up_devices
    from flaxgan.run import load_run, require_apart
    from flaxgan.sampling import averaged_generator, between, draw, random_classes, sample

    run = load_run(args.run_dir)
    config, counts = run.config, run.class_counts
    if args.classes is not None and not config.conditional:
        raise UserError(f"--class is for a run that was trained with --conditional, and {args.run_dir} was not")
    asked = [None] if args.classes is None else _class_ids(args.classes, counts)
    if highest := HIGHEST.get(args.output.suffix.lower()):
        if not args.interpolate:
            raise UserError(f"--output {args.output}: an animation takes --interpolate SEED,SEED,...")
        if (height := len(asked) * config.image_size[0]) > highest:
            raise UserError(f"--output {args.output}: it can be {highest} pixels high, not {height}; name fewer classes")
    state = load(run, args.checkpoint, set_up_devices(args.device)[0])
    require_apart(args.output, args.run_dir, config)
    _check_output(args.output)
    generator = averaged_generator(state.generator, state.ema_params, counts)

    if args.interpolate:
        z = between(args.interpolate, args.frames, config.latent_dim, args.truncation)
        if config.conditional and not args.classes:
            asked = random_classes(counts, args.interpolate[0], 1).tolist()

        images = [draw(generator, z, _repeated(id, len(z))) for id in asked]
    elif args.classes:
        # The same z for each class: down a column it is the class alone that changes.
        images = [sample(generator, args.seed, args.num, _repeated(id, args.num), truncation=args.truncation) for id in asked]
    else:
        labels = random_classes(counts, args.seed, args.num) if config.conditional else None
        images = [sample(generator, args.seed, args.num, labels, truncation=args.truncation)]
    columns = len(images[0]) if args.classes or args.interpolate else None
    names = [[*counts][id] for id in asked if id is not None]
    try:
        _write(args.output, images, columns, names)
    except OSError as error:
        raise UserError(f"--output {args.output} can't be written: {error}") from error
    size = f"{config.image_size[0]}x{config.image_size[1]}"
    print(f"{sum(map(len, images))} pictures of {size} in {args.output}")
    if names:
        print("classes, a row each:", ", ".join(names))


def _repeated(id: int | None, num: int) -> Any:
    import numpy as np

    return None if id is None else np.full(num, id, np.int32)


def _write(output: Path, rows: list[Any], columns: int | None, names: list[str]) -> None:
    """Rows of pictures, uint8 (N, H, W, C) each; `columns`: of a grid, if a row of them is one; `names`: of its rows, if any."""
    import numpy as np

    from flaxgan.files import replacing
    from flaxgan.plots import grid, name_rows, save_animation, save_image

    images = np.concatenate(rows)
    kind = output.suffix.lower()
    if kind == ".png":
        sheet = grid(images, columns)
        save_image(output, name_rows(sheet, names) if names else sheet)
    elif kind in HIGHEST:
        save_animation(output, np.concatenate(rows, 1))  # one above the other
    elif kind == ".npy":
        with replacing(output) as temporary, temporary.open("wb") as file:
            np.save(file, images)
    else:
        digits = len(str(len(images) - 1))
        for i, image in enumerate(images):
            save_image(output / f"{i:0{digits}d}.png", image)


def _seeds(text: str) -> list[int]:
    seeds = [whole_number(0)(seed) for seed in text.split(",")]
    if len(seeds) < 2 or any(a == b for a, b in itertools.pairwise(seeds)):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a list of two or more seeds, each another than the one before, as in 1,2,3"
        )
    return seeds


def main(argv: Sequence[str] | None = None) -> None:
    parser = Parser(prog="python -m flaxgan.sample", description="Make pictures with a trained run.")
    add = parser.add_argument
    add("run_dir", type=path, metavar="RUN_DIR", help="the run's folder")
    add(
        "--num",
        type=whole_number(1),
        metavar="INT",
        help="how many pictures, of each class with --class (default: 64; with --class 8)",
    )
    add("--seed", type=whole_number(0), metavar="INT", help="decides the pictures (default: 0)")
    add("--class", dest="classes", metavar="NAMES", help="of a conditional run: all, or names or numbers with commas; a row each")
    add(
        "--truncation",
        type=float,
        metavar="FLOAT",
        help="largest magnitude in z (with --interpolate: of each seed), as 1: more typical, less varied (default: none)",
    )
    add("--interpolate", type=_seeds, metavar="SEEDS", help="from seed to seed, as in 1,2,3: a strip, or a .gif or .webp")
    add("--frames", type=whole_number(1), metavar="INT", help="pictures from each seed to the next (default: 16)")
    add(
        "--output",
        type=path,
        default=Path("samples.png"),
        metavar="PATH",
        help="a .png: one grid; a .npy: uint8 (N, H, W, C); a .gif or .webp: --interpolate; else a folder: N PNG files "
        "(default: samples.png)",
    )
    add_flags_of_a_reader(parser)
    with exit_on_user_error():
        args = parser.parse_args(argv)
        if args.interpolate and (args.num, args.seed) != (None, None):
            raise UserError("--interpolate names its own seeds, and --frames its pictures; leave --seed and --num out")
        if args.frames and not args.interpolate:
            raise UserError("--frames is for --interpolate SEED,SEED,...; leave it out, or say --num")
        args.seed, args.frames = args.seed or 0, args.frames or 16
        if args.num is None:
            args.num = 8 if args.classes else 64
        if args.truncation is not None and not 0.01 <= args.truncation < math.inf:
            raise UserError(f"--truncation must be a number, at least 0.01, not {args.truncation}")

        from flaxgan.devices import explaining_out_of_memory  # the heavy imports begin here

        with explaining_out_of_memory():
            sample_run(args)


if __name__ == "__main__":
    main()

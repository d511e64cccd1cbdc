"""Sample from a trained run: python -m flaxgan.sample --help"""

import argparse
import difflib
import itertools
import math
from collections.abc import Sequence
from pathlib import Path

from flaxgan.fields import typed
from flaxgan.flags import Parser, add_flags_of_a_reader, path, whole_number
from flaxgan.system.errors import UserError, exit_on_user_error


def _class_ids(asked: str, counts: dict[str, int]) -> list[int]:
    """'all', or names and numbers with commas between -> ids. Raises UserError for a class that was not trained."""
    from flaxgan.methods.sampling import trained_classes

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
    import numpy as np

    from flaxgan.methods.sampling import averaged_generator, between, draw, first_latents, random_classes
    from flaxgan.outputs import Output
    from flaxgan.runs.checkpoint import load
    from flaxgan.runs.folder import load_run, require_apart
    from flaxgan.system.devices import set_up_devices

    run = load_run(args.run_dir)
    config, counts = run.config, run.class_counts
    if args.classes is not None and not config.conditional:
        raise UserError(f"--class is for a run that was trained with --conditional, and {args.run_dir} was not")
    ids = [] if args.classes is None else _class_ids(args.classes, counts)
    each = (len(args.interpolate) - 1) * args.frames + 1 if args.interpolate else args.num
    columns = each if ids or args.interpolate else None
    output = Output(args.output, args.scale, args.resample == "smooth")
    if output.form.animated and not args.interpolate:
        raise UserError(f"--output {args.output}: an animation takes --interpolate SEED,SEED,...")
    output.require_fit(each * max(1, len(ids)), config.image_size, columns)
    state = load(run, args.checkpoint, set_up_devices(args.device)[0])
    require_apart(args.output, args.run_dir, config)
    output.require_writable()

    if args.interpolate:
        z = between(args.interpolate, args.frames, config.options.latent_dim, args.truncation)
        if config.conditional and not ids:
            ids = random_classes(counts, args.interpolate[0], 1).tolist()
    else:
        z = first_latents(args.seed, args.num, config.options.latent_dim, truncation=args.truncation)
    # The same z for each class: down a column it is the class alone that changes.
    rows = [np.full(each, id, np.int32) for id in ids] or [random_classes(counts, args.seed, each) if config.conditional else None]
    generator = averaged_generator(state.generator, state.ema_params, counts)
    images = np.concatenate([draw(generator, z, labels) for labels in rows])
    names = [[*counts][id] for id in ids]
    output.write(images, columns, names)
    pictures = f"picture{'s' if len(images) > 1 else ''} of {typed(config.image_size)}"
    print(f"{len(images)} {pictures}{f', {args.scale} times as large,' if args.scale > 1 else ''} in {args.output}")
    if names:
        print("classes, a row each:", ", ".join(names))


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
        help="a .png or .jpg: one grid (of one picture: itself); a .npy: uint8 (N, H, W, C); a .gif or .webp: --interpolate; "
        "else a folder: N PNG files (default: samples.png)",
    )
    add("--scale", type=whole_number(1), choices=range(1, 17), metavar="INT", help="write them so many times as large (default: 1)")
    add("--resample", choices=("nearest", "smooth"), help="of --scale: pixels as squares, or smoothed (Lanczos) (default: nearest)")
    add_flags_of_a_reader(parser)
    with exit_on_user_error():
        args = parser.parse_args(argv)
        if args.interpolate and (args.num, args.seed) != (None, None):
            raise UserError("--interpolate names its own seeds, and --frames its pictures; leave --seed and --num out")
        if args.frames and not args.interpolate:
            raise UserError("--frames is for --interpolate SEED,SEED,...; leave it out, or say --num")
        if args.resample and not args.scale:
            raise UserError("--resample is for --scale; leave it out, or say how many times as large the pictures are to be")
        args.seed, args.frames, args.scale = args.seed or 0, args.frames or 16, args.scale or 1
        if args.num is None:
            args.num = 8 if args.classes else 64
        if args.truncation is not None and not 0.01 <= args.truncation < math.inf:
            raise UserError(f"--truncation must be a number, at least 0.01, not {args.truncation}")

        from flaxgan.system.devices import explaining_out_of_memory  # the heavy imports begin here

        with explaining_out_of_memory():
            sample_run(args)


if __name__ == "__main__":
    main()

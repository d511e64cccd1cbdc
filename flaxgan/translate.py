"""Translate pictures with a trained run: python -m flaxgan.translate --help"""

import argparse
import dataclasses
from collections.abc import Sequence

import flaxgan
from flaxgan.fields import parse_image_size, parse_range
from flaxgan.flags import Parser, add_flags_of_a_reader, path
from flaxgan.registry import load_plugin
from flaxgan.system.errors import UserError, exit_on_user_error, say


def _parser() -> Parser:
    parser = Parser(
        prog="python -m flaxgan.translate", description="Translate pictures with a trained run."
    )
    add = parser.add_argument
    add(
        "run_dir",
        type=path,
        metavar="RUN_DIR",
        help="the run's folder, or a .safetensors of an export",
    )
    add("pictures", type=path, nargs="+", metavar="PATH", help="pictures, and folders of them")
    add(
        "--output",
        type=path,
        required=True,
        metavar="FOLDER",
        help="where the results go, under the same names, as .png; nothing is overwritten",
    )
    add(
        "--backwards",
        action="store_true",
        help="of a cyclegan: make pictures like --dataset of those like --target",
    )
    add(
        "--image-size",
        type=parse_image_size,
        metavar="SIZE",
        help="cut and shrink the pictures to this first (default: their own size)",
    )
    add(
        "--range",
        type=parse_range,
        metavar="LOW,HIGH",
        help=(
            "what is black and white in pictures of more than 8 bits (default: as training was"
            " told, else guessed)"
        ),
    )
    add(
        "--make-source",
        action="store_true",
        help="of a run with --source: make the source of each picture first, as training did",
    )
    add_flags_of_a_reader(parser)
    return parser


def _translate(args: argparse.Namespace) -> None:
    """Write a result for each picture. Raises UserError, before anything is written, if it can't
    be.
    """
    from flaxgan.data.derived import DERIVED  # the heavy imports begin here
    from flaxgan.data.reading import printable
    from flaxgan.inputs import listed, read, values
    from flaxgan.plots import save_image
    from flaxgan.runs.trained import require_apart
    from flaxgan.system.files import require_writable

    files = listed(args.pictures)
    results = {args.output / name: file for name, file in files.items()}
    for result in results:
        if result.exists():
            raise UserError(
                f"{printable(result)} is there already; name another --output, or remove it"
            )
    model = flaxgan.load(args.run_dir, args.checkpoint, device=args.device)
    kind = getattr(model.config.options, "source", None)
    make = DERIVED[kind].make if args.make_source and kind else None
    if args.make_source and make is None:
        raise UserError(f"--make-source is for a run with --source, and {args.run_dir} has none")
    require_apart(args.output, args.run_dir, model.config)
    require_writable(next(iter(results)))
    told = dataclasses.replace(model.config, range=args.range or model.config.range).values
    if told is None and not args.backwards:
        told = model.run.values
    black_and_white = told or values([*files.values()])
    done = 0
    for result, file in results.items():
        images = read(file, args.image_size, black_and_white)
        if images is None:
            continue
        if make:
            images = make(images)
        made = model.translate(images, backwards=args.backwards)
        result.parent.mkdir(parents=True, exist_ok=True)
        save_image(result, made[0])
        done += 1
    if not done:
        raise UserError("none of these files is a picture that can be read")
    say(f"{done} picture{'s' if done > 1 else ''} in {printable(args.output)}")


def main(argv: Sequence[str] | None = None) -> None:
    """Translate as the flags say."""
    with exit_on_user_error():
        args = _parser().parse_args(argv)
        for plugin in args.plugin:
            load_plugin(plugin)
        _translate(args)


if __name__ == "__main__":
    main()

"""Find the latents of pictures in a trained run: python -m flaxgan.project --help"""

import argparse
from collections.abc import Sequence

import flaxgan
from flaxgan.flags import Parser, add_flags_of_a_reader, path, whole_number
from flaxgan.registry import load_plugin
from flaxgan.system.errors import exit_on_user_error, say


def _parser() -> Parser:
    parser = Parser(
        prog="python -m flaxgan.project",
        description=(
            "Find what a trained run makes its pictures of, so that they become given ones:"
            " sample --latents draws it again, and moves it."
        ),
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
        help=(
            "where the results go, under the same names: .npz, the latents; .png, beside the"
            " picture; .webp, the search; and projections.csv; nothing is overwritten"
        ),
    )
    add(
        "--steps",
        type=whole_number(1),
        default=300,
        metavar="INT",
        help="of the search (default: 300)",
    )
    add(
        "--seed",
        type=whole_number(0),
        default=0,
        metavar="INT",
        help="decides where the search begins (default: 0)",
    )
    add(
        "--class",
        dest="label",
        metavar="NAME",
        help="of a conditional run: the pictures' class, by name or number (default: the nearest)",
    )
    add(
        "--prompt",
        metavar="TEXT",
        help=(
            "of a run that learnt words: what the pictures show (default: the nearest of some of"
            " its captions)"
        ),
    )
    add_flags_of_a_reader(parser)
    return parser


def _project(args: argparse.Namespace) -> None:
    from flaxgan.data.reading import printable  # the heavy imports begin here
    from flaxgan.projections import Projections, asked_by

    places = Projections.of(args.pictures, args.output)
    model = flaxgan.load(args.run_dir, args.checkpoint, device=args.device)
    rows = places.write(model, args.label, args.prompt, args.steps, args.seed)
    for row in rows:
        say(
            f"{row.picture}: feature distance {row.feature_distance:.4f}, RMS error"
            f" {row.rms_error:.4f}" + (f", {asked_by(model)} {row.shown}" if row.shown else "")
        )
    say(f"{len(rows)} picture{'s' if len(rows) > 1 else ''} in {printable(args.output)}")


def main(argv: Sequence[str] | None = None) -> None:
    """Project as the flags say."""
    with exit_on_user_error():
        args = _parser().parse_args(argv)
        for plugin in args.plugin:
            load_plugin(plugin)
        _project(args)


if __name__ == "__main__":
    main()

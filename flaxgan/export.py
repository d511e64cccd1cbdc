"""Export a trained run's generator: python -m flaxgan.export --help"""

import argparse
from collections.abc import Sequence

import flaxgan
from flaxgan.flags import Parser, add_flags_of_a_reader, path
from flaxgan.registry import load_plugin
from flaxgan.system.errors import UserError, exit_on_user_error, say


def _parser() -> Parser:
    parser = Parser(
        prog="python -m flaxgan.export",
        description="Write a trained generator as files that run elsewhere, with a model card.",
    )
    add = parser.add_argument
    add(
        "run_dir", type=path, metavar="RUN", help="the run's folder, or a .safetensors of an export"
    )
    add(
        "--format",
        choices=("onnx", "safetensors", "jax", "all"),
        default="all",
        help=(
            "onnx; safetensors, which flaxgan.load reads; jax, which JAX loads without flaxgan"
            " (default: all)"
        ),
    )
    add(
        "--output",
        type=path,
        metavar="FOLDER",
        help="where the files go; those there are replaced (default: export in the run's folder)",
    )
    add(
        "--uint8",
        action="store_true",
        help="of onnx: pictures as uint8 from 0 to 255 (default: float32 from -1 to 1)",
    )
    add_flags_of_a_reader(parser)
    return parser


def _export(args: argparse.Namespace) -> None:
    """Write the files, and say what they are. Raises UserError if that can't be."""
    if args.uint8 and args.format not in ("onnx", "all"):
        raise UserError("--uint8 is for --format onnx; leave it out")
    from flaxgan.formats.card import name_of  # the heavy imports begin here
    from flaxgan.formats.folder import publishing

    model = flaxgan.load(args.run_dir, args.checkpoint, device=args.device)
    for file in model.exporting(args.output, args.format, args.uint8):
        size = file.path.stat().st_size / 1e6
        say(f"{file.path} ({size:.1f} MB): {file.note}", flush=True)
    command = publishing(file.path.parent, name_of(model.run))
    say(f"to publish it, once {file.path.name} is filled in: {command}")


def main(argv: Sequence[str] | None = None) -> None:
    """Export as the flags say."""
    with exit_on_user_error():
        args = _parser().parse_args(argv)
        for plugin in args.plugin:
            load_plugin(plugin)
        _export(args)


if __name__ == "__main__":
    main()

"""Sample from a trained run: python -m flaxgan.sample --help"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import flaxgan
from flaxgan.fields import typed
from flaxgan.flags import Parser, add_flags_of_a_reader, path, seeds, whole_number
from flaxgan.flags import names as split_names
from flaxgan.registry import load_plugin
from flaxgan.request import Request
from flaxgan.system.errors import UserError, exit_on_user_error, say, visible

ASKED = ("num", "seed", "labels", "truncation", "interpolate", "frames", "mix", "mix_at")


def _parser() -> Parser:
    parser = Parser(
        prog="python -m flaxgan.sample", description="Make pictures with a trained run."
    )
    add = parser.add_argument
    add(
        "run_dir",
        type=path,
        metavar="RUN_DIR",
        help="the run's folder, or a .safetensors of an export",
    )
    add(
        "--num",
        type=whole_number(1),
        metavar="INT",
        help="how many pictures, of each --class or --prompt (default: 64; of each 8)",
    )
    add("--seed", type=whole_number(0), metavar="INT", help="decides the pictures (default: 0)")
    add(
        "--class",
        dest="labels",
        metavar="NAMES",
        help="of a conditional run: all, or names or numbers with commas; a row each",
    )
    add(
        "--prompt",
        dest="prompts",
        action="append",
        metavar="TEXT",
        help=(
            "of a run that learnt words: what is to be seen, as 'a red flower'; several, each with"
            " a --prompt, a row each"
        ),
    )
    add(
        "--truncation",
        type=float,
        metavar="FLOAT",
        help=(
            "largest magnitude in z (with --interpolate: of each seed), as 1, or of a style run how"
            " far from the mean styles are, as 0.7: more typical, less varied (default: none)"
        ),
    )
    add(
        "--interpolate",
        type=seeds,
        metavar="SEEDS",
        help=(
            "from seed to seed, as in 1,2,3, or with one seed from prompt to prompt: a strip, or"
            " a .gif or .webp"
        ),
    )
    add(
        "--frames",
        type=whole_number(1),
        metavar="INT",
        help="pictures from each seed to the next (default: 16), or steps of --direction (7)",
    )
    add(
        "--latents",
        type=path,
        nargs="+",
        metavar="FILE",
        help="draw saved latents: .npz of project, or .npy of z; with --frames what lies between",
    )
    add(
        "--direction",
        type=directions,
        metavar="NUMBERS",
        help="move pictures along the direction that changes them most, 1, or others, as in 1,2,5",
    )
    add(
        "--range",
        type=float,
        metavar="FLOAT",
        help="of --direction: how far both ways, in standard deviations (default: 3)",
    )
    add(
        "--mix",
        type=seeds,
        metavar="PICTURES",
        help="of a style run: a table of mixtures of these pictures of --seed, from 0, as in 3,7",
    )
    add(
        "--mix-at",
        type=whole_number(0),
        metavar="INT",
        help="of --mix: side in pixels from which on styles are those of the column's picture",
    )
    add(
        "--output",
        type=path,
        default=Path("samples.png"),
        metavar="PATH",
        help=(
            "a .png or .jpg: one grid (of one picture: itself); a .npy: uint8 (N, H, W, C); a .gif"
            " or .webp: what moves; else a folder: N PNG files (default: samples.png)"
        ),
    )
    add(
        "--scale",
        type=whole_number(1),
        choices=range(1, 17),
        metavar="INT",
        help="write them so many times as large (default: 1)",
    )
    add(
        "--resample",
        choices=("nearest", "smooth"),
        help="of --scale: pixels as squares, or smoothed (Lanczos) (default: nearest)",
    )
    add_flags_of_a_reader(parser)
    return parser


def directions(text: str) -> list[int]:
    """Read numbers of directions, from 1, with commas between them."""
    return [whole_number(1)(number) for number in text.split(",")]


def _shape(args: argparse.Namespace) -> None:
    """Write what --latents and --direction ask for.

    Raises UserError, before anything is drawn, if that can't be.
    """
    from flaxgan.outputs import Output  # the heavy imports begin here
    from flaxgan.runs.trained import require_apart
    from flaxgan.shaping import check, sheet_of

    check(args)
    output = Output(args.output, args.scale or 1, args.resample == "smooth")
    animated = output.form.animated
    model = flaxgan.load(args.run_dir, args.checkpoint, device=args.device)
    sheet = sheet_of(model, args, animated)
    output.require_fit(sheet.num, model.config.image_size, sheet.columns)
    require_apart(args.output, args.run_dir, model.config)
    output.require_writable()
    output.write(sheet.make(), sheet.columns, sheet.rows, sheet.heads)
    pictures = "picture" if sheet.num == 1 else "pictures"
    say(f"{sheet.num} {pictures} of {typed(model.config.image_size)} in {args.output}")


def _sample(args: argparse.Namespace) -> None:
    """Write what the arguments ask for.

    Raises UserError, before anything is sampled, if that can't be.
    """
    request = Request(**{name: getattr(args, name) for name in ASKED}, prompts=args.prompts or ())
    scale = args.scale or 1

    from flaxgan.data.reading import printable
    from flaxgan.models.growth import is_full_size, resolution
    from flaxgan.outputs import Output  # the heavy imports begin here
    from flaxgan.runs.trained import require_apart

    output = Output(args.output, scale, args.resample == "smooth")
    if output.form.animated and not args.interpolate:
        raise UserError(f"--output {args.output}: an animation takes --interpolate SEED,SEED,...")
    model = flaxgan.load(args.run_dir, args.checkpoint, device=args.device)
    ids = (
        [] if args.labels is None else model.class_ids(split_names(args.labels, model.class_names))
    )
    each = request.each
    named = ids or request.prompts or args.interpolate
    columns = len(args.mix) if args.mix else each if named else None
    rows = max(1, len(ids), request.prompt_rows)
    output.require_fit(each * rows, model.config.image_size, columns)
    require_apart(args.output, args.run_dir, model.config)
    output.require_writable()

    asked = {name: getattr(args, name) for name in ASKED} | {"labels": ids or None}
    images = model.sample(**asked, prompt=args.prompts)
    names = [model.class_names[id] for id in ids] + (
        [" → ".join(request.prompts)] if request.through_prompts else [*request.prompts]
    )
    mixed = [str(picture) for picture in args.mix or ()]
    output.write(images, columns, mixed or names, mixed)
    pictures = f"picture{'s' if len(images) > 1 else ''} of {typed(model.config.image_size)}"
    larger = f", {scale} times as large," if scale > 1 else ""
    print(visible(f"{len(images)} {pictures}{larger} in {args.output}"))
    if not is_full_size(model.config, model.step):
        side = resolution(model.config, model.step)
        print(f"the run still grows: step {model.step} makes pictures of {side}, here enlarged")
    if mixed:
        print("rows give the coarse styles, columns the finer ones: by the numbers of pictures")
    elif ids:
        print(visible(f"classes, a row each: {', '.join(map(printable, names))}"))


def main(argv: Sequence[str] | None = None) -> None:
    """Sample as the flags say."""
    with exit_on_user_error():
        args = _parser().parse_args(argv)
        if args.resample and not args.scale:
            raise UserError(
                "--resample is for --scale; leave it out, or say how many times as large the"
                " pictures are to be"
            )
        for plugin in args.plugin:
            load_plugin(plugin)
        if args.latents or args.direction or args.range is not None:
            return _shape(args)
        _sample(args)


if __name__ == "__main__":
    main()

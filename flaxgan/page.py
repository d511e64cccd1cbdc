"""Write a web page in which a run's generator works: python -m flaxgan.page --help"""

from collections.abc import Sequence
from pathlib import Path

import flaxgan
from flaxgan.flags import Parser, add_flags_of_a_reader, path
from flaxgan.registry import load_plugin
from flaxgan.system.errors import UserError, exit_on_user_error, say


def _parser() -> Parser:
    parser = Parser(
        prog="python -m flaxgan.page",
        description="Write a folder with a web page in which a run's generator works.",
    )
    add = parser.add_argument
    add(
        "run_dir",
        type=path,
        metavar="RUN_DIR",
        help="the run's folder, or a .safetensors of an export",
    )
    add(
        "--output",
        type=path,
        default=Path("site"),
        metavar="FOLDER",
        help="a new folder, for any web server, or to open index.html in it (default: site)",
    )
    add("--title", metavar="TEXT", help="the page's headline (default: the run folder's name)")
    add(
        "--backwards",
        action="store_true",
        help="of a cyclegan: translate pictures like --target to those like --dataset",
    )
    add(
        "--prompts",
        type=path,
        metavar="FILE",
        help="of a run that learnt words: a text file of prompts to choose from, a line each"
        " (default: some of its captions)",
    )
    add_flags_of_a_reader(parser)
    return parser


def lines_of(file: Path) -> list[str]:
    """Return the lines of a text file that are not empty. Raises UserError if it can't be read."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text in UTF-8"
        raise UserError(f"--prompts {file} can't be read: {why}") from error
    return [line for line in text.splitlines() if line.strip()]


def main(argv: Sequence[str] | None = None) -> None:
    """Write the page as the flags say."""
    with exit_on_user_error():
        args = _parser().parse_args(argv)
        for plugin in args.plugin:
            load_plugin(plugin)
        from flaxgan.data.reading import printable  # the heavy imports begin here

        prompts = None if args.prompts is None else lines_of(args.prompts)
        model = flaxgan.load(args.run_dir, args.checkpoint, device=args.device)
        model.page(args.output, title=args.title, backwards=args.backwards, prompts=prompts)
        size = sum(file.stat().st_size for file in args.output.iterdir()) / 1e6
        page = printable(args.output)
        say(f"a page in {page}, {size:.1f} MB; to see it: open {page}/index.html")


if __name__ == "__main__":
    main()

"""Measure a run's pictures, or any two sets of pictures: python -m flaxgan.evaluate --help"""

from collections.abc import Sequence

import flaxgan
from flaxgan.fields import parse_image_size
from flaxgan.flags import Parser, add_flags_of_a_reader, path, whole_number
from flaxgan.registry import load_plugin
from flaxgan.system.errors import exit_on_user_error, visible


def _parser() -> Parser:
    parser = Parser(
        prog="python -m flaxgan.evaluate", description="Measure how good generated pictures are."
    )
    add = parser.add_argument
    add(
        "run_dir",
        type=path,
        nargs="?",
        metavar="RUN_DIR",
        help="a run: its samples against its training data",
    )
    add(
        "--real",
        type=path,
        metavar="PATH",
        help="real pictures instead of those: a folder, or uint8 (N, H, W, C) in a .npy or .npz",
    )
    add(
        "--generated",
        type=path,
        metavar="PATH",
        help="pictures to measure instead of a run's samples: a folder, .npy or .npz",
    )
    add(
        "--num",
        type=whole_number(2),
        metavar="INT",
        help=(
            "how many generated pictures (default: of a run as many as real ones, of --generated"
            " all, but at most 10000)"
        ),
    )
    add(
        "--num-real",
        type=whole_number(2),
        metavar="INT",
        help="how many real pictures (default: all, but at most 10000)",
    )
    add(
        "--metrics",
        type=lambda text: text.split(","),
        metavar="NAMES",
        help=(
            "some of fd,kid,precision,recall,density,coverage,diversity,classes,memorisation,"
            "accuracy,inception_score,attributes,r_precision,phrasing,l1,psnr,psnr_luma,ssim,ssim_luma,target_distance,"
            "source_distance,cycle_distance,kept_classes (default: all that apply)"
        ),
    )
    add(
        "--image-size",
        type=parse_image_size,
        metavar="SIZE",
        help="cut and shrink folders' pictures to this (default: --real as the run's)",
    )
    add(
        "--seed",
        type=whole_number(0),
        default=0,
        metavar="INT",
        help="decides z and random subsets (default: 0)",
    )
    add(
        "--repeat",
        type=whole_number(1),
        default=1,
        metavar="INT",
        help="measure so many sets of samples, for means and their spread (default: 1)",
    )
    add(
        "--output",
        type=path,
        metavar="FILE",
        help="a .json; pictures go beside it (default: evaluation.json in the run)",
    )
    add_flags_of_a_reader(parser, "extractor", "inception_weights", "dinov2_weights", "data_dir")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Compare what the flags name: a table on the screen, the JSON file, and pictures beside it."""
    with exit_on_user_error():
        args = vars(_parser().parse_args(argv))
        for plugin in args.pop("plugin"):
            load_plugin(plugin)
        args["output"] = args["output"] or (args["run_dir"] and args["run_dir"] / "evaluation.json")
        content = flaxgan.evaluate(**args)

        from flaxgan.metrics.results import images_beside, report

        print(visible(report(content)))
        if args["output"]:
            written = [args["output"], *images_beside(args["output"])]
            print(visible(f"written: {' '.join(map(str, written))}"))


if __name__ == "__main__":
    main()

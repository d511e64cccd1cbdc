"""Measure a run's pictures, or any two sets of pictures: python -m flaxgan.evaluate --help"""

import argparse
from collections.abc import Sequence

from flaxgan.fields import parse_image_size
from flaxgan.flags import Parser, add_flags_of_a_reader, path, whole_number
from flaxgan.system.errors import UserError, exit_on_user_error


def evaluate_command(args: argparse.Namespace) -> None:
    """Compare what the arguments name: a table on the screen, the JSON file, and pictures beside it. Raises UserError."""
    from flaxgan.metrics.comparison import Comparison
    from flaxgan.metrics.evaluation import METRICS, evaluate
    from flaxgan.metrics.image_sets import open_set, open_training_set, sampled_set
    from flaxgan.metrics.reference import Reference
    from flaxgan.metrics.results import check_output, save_images, table, write
    from flaxgan.pretrained.extractor import Extractor, own_devices
    from flaxgan.runs.checkpoint import load
    from flaxgan.runs.folder import load_run, require_apart
    from flaxgan.system.devices import set_up_devices
    from flaxgan.system.files import require_outside

    if unknown := set(args.metrics or ()) - set(METRICS):
        raise UserError(f"--metrics {','.join(sorted(unknown))}: there is no such metric; there are {', '.join(METRICS)}")
    output = args.output or (args.run_dir and args.run_dir / "evaluation.json")
    run = load_run(args.run_dir) if args.run_dir else None
    config = run and run.config
    devices = set_up_devices(args.device)
    extractor = Extractor(args.extractor, own_devices(), args.inception_weights)
    state = load(run, args.checkpoint, devices[0]) if not args.generated else None
    if output:
        if run:
            require_apart(output, args.run_dir, config)
        require_outside(output, filter(None, (args.real, args.generated)), "whose pictures are measured")
        check_output(output)

    caveats: list[str] = []
    if args.real:
        real = open_set(args.real, args.num_real, args.image_size, like=config)
    else:
        real = open_training_set(config, run.sha256, args.data_dir, args.num_real, caveats)
    if args.generated:
        generated = open_set(args.generated, args.num, args.image_size)
    else:
        generated = sampled_set(state, config, run.class_counts, args.seed, args.num or len(real))
    mirror = config.flip if config else real.images.shape[-1] == 3
    comparison = Comparison(Reference(real, extractor, mirror), generated, args.seed, state, config, caveats)
    measured = evaluate(comparison, args.metrics)
    if not measured:
        raise UserError(f"nothing is measured: {'; '.join(caveats)}")
    print(f"real: {real}\ngenerated: {generated}\nextractor: {extractor.name}\n\n{table(measured)}")
    for caveat in caveats:
        print(f"note: {caveat}")
    if output:
        write(output, comparison, measured)
        print("written:", *[output, *save_images(output, comparison)])


def main(argv: Sequence[str] | None = None) -> None:
    parser = Parser(prog="python -m flaxgan.evaluate", description="Measure how good generated pictures are.")
    add = parser.add_argument
    add("run_dir", type=path, nargs="?", metavar="RUN_DIR", help="a run: its samples against its training data")
    add("--real", type=path, metavar="PATH", help="real pictures instead of those: a folder, or a .npy of uint8 (N, H, W, C)")
    add("--generated", type=path, metavar="PATH", help="pictures to measure instead of a run's samples: a folder, or a .npy")
    add(
        "--num",
        type=whole_number(2),
        metavar="INT",
        help="how many generated pictures (default: of a run as many as real ones, of --generated all, but at most 10000)",
    )
    add("--num-real", type=whole_number(2), metavar="INT", help="how many real pictures (default: all, but at most 10000)")
    add(
        "--metrics",
        type=lambda text: text.split(","),
        metavar="NAMES",
        help="some of fd,kid,precision,recall,density,coverage,diversity,classes,memorisation,accuracy,inception_score "
        "(default: all that apply)",
    )
    add(
        "--image-size",
        type=parse_image_size,
        metavar="SIZE",
        help="cut and shrink folders' pictures to this (default: --real as the run's)",
    )
    add("--seed", type=whole_number(0), default=0, metavar="INT", help="decides z and random subsets (default: 0)")
    add("--output", type=path, metavar="FILE", help="a .json; pictures go beside it (default: evaluation.json in the run)")
    add_flags_of_a_reader(parser, "extractor", "inception_weights", "data_dir")
    with exit_on_user_error():
        args = parser.parse_args(argv)
        if not args.run_dir and not (args.real and args.generated):
            raise UserError("name a RUN_DIR, or both --real and --generated")
        if args.generated and args.checkpoint is not None:
            raise UserError("--checkpoint says which samples of the run, and --generated names other pictures; leave one out")
        if args.image_size and not (args.real or args.generated):
            raise UserError("--image-size is for the folders that --real and --generated name; leave it out")

        from flaxgan.system.devices import explaining_out_of_memory  # the heavy imports begin here

        with explaining_out_of_memory():
            evaluate_command(args)


if __name__ == "__main__":
    main()

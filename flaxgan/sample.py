"""Sample from a trained run: python -m flaxgan.sample --help"""

from collections.abc import Sequence
from pathlib import Path

from flaxgan.config import Parser, add_flags_of_a_reader
from flaxgan.errors import UserError, exit_on_user_error


def _check_output(output: Path) -> None:
    """Raises UserError, before anything is computed, if `output` can't be written or would mix with what is there."""
    if output.suffix not in ("", ".png", ".npy"):
        raise UserError(f"--output {output}: {output.suffix} is not known; name a .png (one grid), a .npy, or a folder")
    if output.suffix:
        if output.is_dir():
            raise UserError(f"--output {output} is a folder")
    elif output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise UserError(f"--output {output} exists and is not an empty folder; name another")
    try:
        (output.parent if output.suffix else output).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--output {output} can't be written: {error.strerror}") from error


def sample_run(run_dir: Path, num: int, seed: int, output: Path, checkpoint: int | str | None = None, device: str = "auto") -> None:
    """Write `num` pictures from a checkpoint of a run (see checkpoint.load). Picture i depends on seed and i alone.

    Raises UserError if the folder is no run, has no such checkpoint, or `output` can't be written.
    """
    import numpy as np

    from flaxgan.checkpoint import load
    from flaxgan.files import replacing
    from flaxgan.parallel import set_up_devices
    from flaxgan.plots import grid, save_picture
    from flaxgan.run import load_config
    from flaxgan.sampling import sample, sampler

    config = load_config(run_dir)
    state = load(run_dir, config, checkpoint, set_up_devices(device)[0])
    generator = sampler(state.generator, state.ema_params)
    _check_output(output)
    images = sample(generator, seed, num)
    if output.suffix == ".png":
        save_picture(output, grid(images))
    elif output.suffix == ".npy":
        with replacing(output) as temporary, temporary.open("wb") as file:
            np.save(file, images)
    else:
        digits = len(str(num - 1))
        for i, image in enumerate(images):
            save_picture(output / f"{i:0{digits}d}.png", image)
    print(f"{num} pictures of {config.image_size[0]}x{config.image_size[1]} in {output}")


def main(argv: Sequence[str] | None = None) -> None:
    parser = Parser(prog="python -m flaxgan.sample", description="Make pictures with a trained run.")
    parser.add_argument("run_dir", type=Path, metavar="RUN_DIR", help="the run's folder")
    parser.add_argument("--num", type=int, default=64, metavar="INT", help="how many pictures (default: 64)")
    parser.add_argument("--seed", type=int, default=0, metavar="INT", help="decides the pictures (default: 0)")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("samples.png"),
        metavar="PATH",
        help="a .png: one grid; a .npy: uint8 (N, H, W, C); else a folder: N PNG files (default: samples.png)",
    )
    add_flags_of_a_reader(parser)
    with exit_on_user_error():
        args = parser.parse_args(argv)
        if args.num < 1:
            raise UserError(f"--num must be at least 1, not {args.num}")
        if not 0 <= args.seed < 2**32:
            raise UserError(f"--seed must lie in [0, 2**32), not {args.seed}")
        sample_run(args.run_dir, args.num, args.seed, args.output, args.checkpoint, args.device)


if __name__ == "__main__":
    main()

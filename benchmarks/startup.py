"""From the command to the first step, cold and warm, and --help: python -m benchmarks.startup
[FLAGS of flaxgan.main]
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.timing import finish, spread

WARM_ROUNDS = 7


def first_step(flags: list[str], cache: str) -> float:
    """Seconds until the first row of metrics.jsonl."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "run" / "metrics.jsonl"
        began = time.perf_counter()
        command = [
            sys.executable,
            "-m",
            "flaxgan.main",
            *flags,
            "--max-steps",
            "1",
            "--run-dir",
            str(log.parent),
        ]
        process = subprocess.Popen(
            command, env=os.environ | {"FLAXGAN_CACHE": cache}, stdout=subprocess.DEVNULL
        )
        while process.poll() is None and not (log.exists() and log.stat().st_size):
            time.sleep(0.01)
        took = time.perf_counter() - began
        if process.wait() or not log.exists():
            raise SystemExit(
                "the training command failed, or did no step; this takes the flags of flaxgan.main"
            )
    return took


def help_seconds() -> float:
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "flaxgan.main", "--help"], check=True, stdout=subprocess.DEVNULL
    )
    return time.perf_counter() - began


def main() -> None:
    flags = sys.argv[1:] or ["--image-size", "64"]
    with tempfile.TemporaryDirectory() as cache:
        cold = first_step(flags, cache)
        warm = [first_step(flags, cache) for _ in range(WARM_ROUNDS)]
    rows = [
        {
            "what": "first step, cold: pictures drawn or decoded, step compiled",
            "seconds": f"{cold:.1f} (once)",
        },
        {"what": "first step, warm", "seconds": spread(warm)},
        {"what": "--help", "seconds": spread([help_seconds() for _ in range(WARM_ROUNDS)])},
    ]
    finish("startup", rows)


if __name__ == "__main__":
    main()

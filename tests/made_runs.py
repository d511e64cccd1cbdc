"""Folders as a training leaves them, made without one."""

import json

import numpy as np
from PIL import Image

import flaxgan
from flaxgan.config import Config
from flaxgan.plots import grid, save_image

ROW = {"d_loss": 1.2, "g_loss": 0.9, "d_real_accuracy": 0.7, "d_fake_accuracy": 0.6}


def row(step, **more):
    time = f"2026-01-01T00:{step // 60 % 60:02d}:{step % 60:02d}Z"
    return {"step": step, "time": time, "epoch": 1, "images_seen": 8 * step} | more


def rows_of(count, **more):
    """Rows of a training, a step each."""
    return [row(i, **(ROW | more), images_per_second=80.0) for i in range(1, count + 1)]


def made_run(
    folder, rows=(), snapshots=(), class_names=(), dataset="synthetic_flowers", size=8, **fields
):
    """Write a run of 80 pictures with batches of 8: its configuration, log and pictures."""
    folder.mkdir(parents=True)
    config = Config.make(
        **{"batch_size": 8, "max_steps": 100, "dataset": dataset, "image_size": size}
        | {"channels": 3, "epochs": 50, "flip": True}
        | fields
    )
    data = {"images": 80, "sha256": "0", "class_names": [*class_names]}
    data["class_counts"] = [8] * len(class_names)
    starts = [{"step": 0, "date": "2026-01-01T00:00:00+00:00", "command": "made", "device": "cpu"}]
    saved = {"flaxgan_version": flaxgan.__version__, **config.to_dict()}
    saved |= {"chosen": {"ema": "usual"}, "data": data, "changes": [], "starts": starts}
    (folder / "config.json").write_text(json.dumps(saved))
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "generated_images").mkdir()
    rng = np.random.default_rng(0)
    images = lambda: rng.integers(0, 255, (16, size, size, 3), dtype=np.uint8)  # noqa: E731
    save_image(folder / "real_images.png", grid(images()))
    for step in snapshots:
        save_image(folder / "generated_images" / f"step_{step:08d}.png", grid(images()))
    return folder


def data_in(page):
    """Of a report: what its script reads."""
    text = page.read_text(encoding="utf-8")
    return json.loads(text.partition('id="data">')[2].partition("</script>")[0])


def noise(path, side):
    """Write a picture that shrinks badly."""
    pixels = np.random.default_rng(0).integers(0, 255, (side, side, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)

"""Films: pictures after one another, as WebP or GIF, or as MP4 where ffmpeg is on the PATH."""

import dataclasses
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from flaxgan.outputs import MOST_PIXELS
from flaxgan.plots import enlarged, open_png, save_animation
from flaxgan.system.errors import UserError
from flaxgan.system.files import replacing, require_writable

LONGEST = {".gif": 2**16 - 1, ".webp": 2**14 - 1, ".mp4": 2**14}  # side of a frame, in pixels
ENCODING = ("-c:v", "libx264", "-preset", "medium", "-crf", "18", "-pix_fmt", "yuv420p")


@dataclasses.dataclass(frozen=True)
class Film:
    """A file to write a film to, in the form that its name says.

    `fps`: frames a second. `hold`: seconds that the last one stays longer. `scale`: how many times
    as large the frames are; `smooth`: see plots.enlarged.
    """

    path: Path
    fps: float
    hold: float = 0
    scale: int = 1
    smooth: bool = False

    @property
    def suffix(self) -> str:
        return self.path.suffix.lower()

    def require_writable(self) -> None:
        """Raise UserError if there is no such form of film, or nothing can be written there."""
        if self.suffix not in LONGEST:
            raise UserError(
                f"--output {self.path}: a film is a .webp, a .gif, or with ffmpeg an .mp4"
            )
        if self.suffix == ".mp4" and not shutil.which("ffmpeg"):
            raise UserError(
                f"--output {self.path}: MP4 is written by ffmpeg, which is not on the PATH; install"
                " it, or name a .webp or a .gif"
            )
        require_writable(self.path)

    def require_fit(self, num: int, size: tuple[int, int], streamed: bool = False) -> None:
        """Raise UserError if so many frames of size (height, width) are more than can be.

        `streamed`: they come one by one, so that an .mp4 may have any number.
        """
        height, width = (side * self.scale for side in size)
        in_memory = 1 if streamed and self.suffix == ".mp4" else num
        if max(height, width) > LONGEST[self.suffix] or in_memory * height * width > MOST_PIXELS:
            raise UserError(
                f"--output {self.path} would have {num} frames of {height}x{width} pixels, which is"
                " too much; take a smaller --scale, fewer --frames or --class, or of a training an"
                " .mp4"
            )

    def write(self, frames: Iterable[np.ndarray]) -> None:
        """Write frames, uint8 (H, W, 1 or 3), all of a size. Raises UserError if that fails."""
        large = (enlarged(frame[None], self.scale, self.smooth)[0] for frame in frames)
        try:
            if self.suffix == ".mp4":
                return self._encode(large)
            pictures = [*large]
            durations = [round(1000 / self.fps)] * len(pictures)
            durations[-1] += round(1000 * self.hold)
            save_animation(self.path, pictures, durations, lossless=False)
        except OSError as error:
            raise UserError(f"--output {self.path} can't be written: {error}") from error

    def _encode(self, frames: Iterable[np.ndarray]) -> None:
        """Hand frames to ffmpeg; the last row and column are there twice where a side is odd."""
        with replacing(self.path) as temporary:
            encoder: subprocess.Popen[bytes] | None = None
            try:
                for frame in frames:
                    rgb = np.broadcast_to(frame, (*frame.shape[:2], 3))
                    rgb = np.pad(rgb, [*((0, side % 2) for side in rgb.shape[:2]), (0, 0)], "edge")
                    encoder = encoder or self._encoder(rgb.shape[:2], temporary)
                    assert encoder.stdin
                    encoder.stdin.write(rgb.tobytes())
                assert encoder and encoder.stdin
                for _ in range(round(self.hold * self.fps)):
                    encoder.stdin.write(rgb.tobytes())
            except BrokenPipeError:
                pass  # it says why it ended
            except BaseException:
                if encoder:
                    encoder.kill()
                    encoder.communicate()
                raise
            assert encoder
            complaint = encoder.communicate()[1].decode(errors="replace").strip()
            if encoder.returncode:
                raise UserError(
                    f"--output {self.path} can't be written: ffmpeg says: {complaint or 'nothing'};"
                    " name a .webp or a .gif"
                )

    def _encoder(self, size: tuple[int, ...], path: Path) -> "subprocess.Popen[bytes]":
        height, width = size
        frames = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}")
        command = ["ffmpeg", "-v", "error", "-y", *frames, "-r", str(self.fps), "-i", "-"]
        command += [*ENCODING, "-movflags", "+faststart", "-f", "mp4", f"file:{path}"]
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )


def read_frame(path: Path) -> np.ndarray:
    """Return a PNG's pixels: uint8 (H, W, 1 or 3). Raises UserError if it can't be read."""
    try:
        picture = open_png(path)
        pixels = np.asarray(picture.convert("L" if picture.mode == "L" else "RGB"))
    except Exception as error:  # of damaged files anything is raised
        raise UserError(f"{path} can't be read: {error}; remove it, or bring it back") from error
    return pixels.reshape(*pixels.shape[:2], -1)

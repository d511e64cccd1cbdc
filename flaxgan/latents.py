"""What is done with a loaded generator's latents: directions, saved ones, those of pictures."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import numpy as np
from PIL import Image

from flaxgan.config import Config
from flaxgan.data.array import checked
from flaxgan.data.pixels import to_pixels, to_uint8
from flaxgan.methods import translates
from flaxgan.methods.batches import in_batches
from flaxgan.methods.latent_space import directions, from_z, images_of, interpolated, latent_space
from flaxgan.methods.noise import noise_numbers, takes_noise
from flaxgan.methods.projection import STEPS, Projection, project
from flaxgan.methods.sampling import first_latents
from flaxgan.methods.state import Network
from flaxgan.request import Label, Request, as_prompts, require_one
from flaxgan.runs import asked
from flaxgan.runs.trained import TrainedRun
from flaxgan.system.devices import explaining_out_of_memory
from flaxgan.system.errors import UserError


class LatentTools:
    """The tools of a Model that work in its latent space."""

    run: TrainedRun
    step: int
    generators: dict[str, Network]

    @property
    def config(self) -> Config:
        """Return the configuration of the run."""
        return self.run.config

    @property
    def _generator(self) -> Network:
        if translates(self.config):
            raise UserError(
                f"{self.config.run_dir} translates pictures, and has no latents; name a run that"
                " draws its own"
            )
        return self.generators["result"]

    @explaining_out_of_memory()
    def directions(
        self,
        numbers: Sequence[int] = (1,),
        range: float = 3.0,
        steps: int = 7,
        *,
        num: int = 4,
        seed: int = 0,
        labels: Label | Sequence[Label] | np.ndarray | None = None,
        latents: np.ndarray | None = None,
        prompt: str | Sequence[str] | None = None,
    ) -> np.ndarray:
        """Move images along the directions of latent space that change them the most.

        Returns uint8 (len(numbers), N, steps, H, W, C): for each direction, 1 being the strongest,
        and each image, what it becomes in `steps` from -range to range, in standard deviations.
        The images are the first `num` of a seed, of each class in `labels` or each `prompt` if
        these are given; or those of `latents`, as draw takes them, with its `labels` and `prompt`.

        Directions are eigenvectors of the first weights (Shen & Zhou 2021, arXiv:2007.06600).
        Raises UserError for a direction that the run does not have.
        """
        if not (0 < range < 1e6 and 2 <= steps < 2**16):
            raise UserError("a range is a number above 0, and has two steps or more")
        if not len(numbers):
            raise UserError("name one direction or more, from 1")
        noise = None  # of the pictures of a seed, as sample has it
        if latents is None:
            points, classes = self._drawn(num, seed, labels, prompt)
            if takes_noise(self._generator.module):
                noise = np.resize(noise_numbers(seed, np.arange(num)), len(points))
        else:
            points, classes = self.checked_latents(latents, labels, prompt)
        found, space = directions(self._generator), latent_space(self._generator, classes)
        if wrong := [number for number in numbers if not 1 <= number <= len(found)]:
            raise UserError(
                f"--direction {wrong[0]}: there is no such direction; this run has"
                + (f" 1 (the strongest) to {len(found)}" if len(found) else " none")
            )
        shares = np.linspace(-range, range, steps, dtype=np.float32) * float(space.scale)
        moved = found[np.array(numbers) - 1][:, None] * shares[:, None]  # (K, steps, D)
        moved = moved.reshape(len(numbers), 1, steps, *[1] * (len(space.shape) - 1), -1)
        all_points = (points[None, :, None] + moved).reshape(-1, *space.shape)
        rows, numbered = (
            None if x is None else np.tile(x.repeat(steps, 0), (len(numbers), *[1] * (x.ndim - 1)))
            for x in (classes, noise)
        )
        images = self._images(all_points, rows, numbered)
        return images.reshape(len(numbers), len(points), steps, *images.shape[1:])

    @explaining_out_of_memory()
    def draw(
        self,
        latents: np.ndarray,
        labels: Label | Sequence[Label] | np.ndarray | None = None,
        frames: int | None = None,
        prompt: str | Sequence[str] | None = None,
    ) -> np.ndarray:
        """Draw images of latents: uint8 (N, H, W, C).

        `latents`: float z (N, latent_dim), or of a style run also w (N, num_styles, D), as a
        projection has them. `labels`, of a conditional run: a class, or one for each of them; or of
        a run that learnt words a projection's. `prompt`, of such a run: a sentence, or one each.
        `frames`: so many images from each to the next instead, round the sphere in z, straight in
        w; (N - 1) * frames + 1 in all. Raises UserError for anything else.
        """
        points, classes = self.checked_latents(latents, labels, prompt)
        if frames is not None:
            if len(points) < 2 or not 1 <= frames < 2**32:
                raise UserError("--frames lie between latents: give two or more of these")
            if classes is not None and (classes != classes[:1]).any():
                raise UserError(
                    "these latents show several classes or sentences; say one with --class or"
                    " --prompt"
                )
            points = interpolated(points, frames, points.ndim == 2)
            if classes is not None:
                classes = np.resize(classes, (len(points), *classes.shape[1:]))
        return self._images(points, classes)

    @explaining_out_of_memory()
    def project(
        self,
        images: np.ndarray,
        labels: Label | None = None,
        steps: int = STEPS,
        seed: int = 0,
        prompt: str | None = None,
    ) -> Projection:
        """Find the latents whose images are nearest to given ones, as a Projection.

        `images`: uint8 (N, H, W, 1 or 3) or (N, H, W), brought to the run's size as its data were.
        `labels`, of a conditional run: their class; else the nearest of all classes is found.
        `prompt`, of a run that learnt words: what they show; else the nearest of its captions.
        `steps`: of gradient descent, at least 1. The same images and seed give the same latents.
        Raises UserError for other arrays, and for runs that have no latents.
        """
        generator, config = self._generator, self.config
        if not 1 <= steps < 2**20 or not 0 <= seed < 2**32:
            raise UserError("--steps is a whole number from 1 up, --seed one from 0 up")
        conditions = asked.candidates(self.run, labels, prompt)
        given = checked(images, where="what is to be projected").images
        pictures = [Image.fromarray(x.squeeze(-1) if x.shape[-1] == 1 else x) for x in given]
        fit = "crop" if config.fit == "tiles" else config.fit
        fitted = [to_pixels(x, config.image_size, config.channels, fit) for x in pictures]
        return project(generator, np.concatenate(fitted), conditions, seed, steps)

    def _drawn(
        self,
        num: int,
        seed: int,
        labels: Label | Sequence[Label] | np.ndarray | None,
        prompt: str | Sequence[str] | None,
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the latents of the first `num` images of a seed, of each class or prompt."""
        request = Request(num=num, seed=seed, labels=labels, prompts=as_prompts(prompt))
        z = first_latents(seed, num, self._generator.module.latent_dim)
        rows = [row for row in asked.rows(self.run, request, num) if row is not None]
        conditions = np.concatenate(rows) if rows else None
        z = np.tile(z, (max(1, len(rows)), 1))
        return from_z(self._generator, z, conditions), conditions

    def checked_latents(
        self,
        latents: Any,
        labels: Label | Sequence[Label] | np.ndarray | None,
        prompt: str | Sequence[str] | None = None,
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Return latents that were given and their conditions, checked. Raises UserError."""
        values, generator = np.atleast_1d(latents), self._generator
        classes = self._conditions(labels, prompt)
        if classes is not None:
            if len(classes) not in (1, len(values)):
                raise UserError(f"{len(values)} latents take one class or prompt, or one each")
            classes = np.resize(classes, (len(values), *classes.shape[1:]))
        elif self.config.condition != "none":
            raise UserError(
                "the run is conditional: say what the latents show"
                f" ({'--prompt' if self.config.condition == 'text' else '--class'})"
            )
        space, size = latent_space(generator, classes), generator.module.latent_dim
        shapes = {space.shape: space.name, (size,): "z"}
        if values.dtype.kind != "f" or values.shape[1:] not in shapes or not len(values):
            wanted = " or ".join(
                f"{name} (N, {', '.join(map(str, shape))})" for shape, name in shapes.items()
            )
            raise UserError(
                f"latents of {values.dtype} {values.shape} are not this run's; it takes float"
                f" {wanted}"
            )
        if not _finite(values):
            raise UserError("latents hold what is no number, or far too large; find them anew")
        values = values.astype(np.float32)
        return values if values.ndim > 2 else from_z(generator, values, classes), classes

    def _conditions(
        self,
        labels: Label | Sequence[Label] | np.ndarray | None,
        prompt: str | Sequence[str] | None,
    ) -> np.ndarray | None:
        """Return classes int32 (N,), or sentences float32 (N, D). Raises UserError."""
        prompts = as_prompts(prompt)
        require_one(labels, prompts)
        if prompts:
            return asked.encoded(self.run, prompts)
        if labels is None:
            return None
        if isinstance(labels, np.ndarray) and labels.ndim == 2:
            sizes = (self._generator.module.text,)
            if labels.dtype.kind != "f" or labels.shape[1:] != sizes or not _finite(labels):
                raise UserError("these latents show sentences, and not as this run learnt words")
            return labels.astype(np.float32)
        numbers = labels.tolist() if isinstance(labels, np.ndarray) else labels
        return np.array(asked.class_ids_of(self.run, numbers), np.int32)

    def _images(
        self, points: np.ndarray, conditions: np.ndarray | None, noise: np.ndarray | None = None
    ) -> np.ndarray:
        """Draw latents of the space's shape, in whole batches: uint8 (N, H, W, C)."""
        return in_batches(partial(_drawn_images, self._generator), points, conditions, noise)


def _finite(values: np.ndarray) -> bool:
    """Tell whether all are numbers of a size that a network can take."""
    return bool((np.abs(values) <= 1e6).all())


@jax.jit
def _drawn_images(generator: Network, points: Any, classes: Any, noise: Any) -> Any:
    return to_uint8(images_of(generator, points, classes, noise))

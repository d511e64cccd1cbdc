"""A trained generator, loaded to sample from."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import flaxgan
from flaxgan.data.array import checked
from flaxgan.data.derived import grey
from flaxgan.data.forms import source_channels
from flaxgan.formats import safetensors
from flaxgan.formats.exporting import Export, File
from flaxgan.formats.folder import fill, formats_of
from flaxgan.latents import LatentTools
from flaxgan.methods import method_of, to_sample, translates
from flaxgan.methods.filled import translated
from flaxgan.methods.sampling import between, draw, first_latents, random_classes
from flaxgan.methods.state import Network
from flaxgan.methods.translation import translate
from flaxgan.request import Label, Request, class_ids
from flaxgan.runs.loading import load
from flaxgan.runs.naming import CheckpointName
from flaxgan.runs.trained import TrainedRun, load_run, require_apart
from flaxgan.system.devices import explaining_out_of_memory, set_up_devices
from flaxgan.system.errors import UserError


def checkpoint_name(checkpoint: str | int | CheckpointName | None) -> CheckpointName | None:
    """Return the name of a checkpoint as it may be given. Raises UserError if it is none."""
    if checkpoint is None or isinstance(checkpoint, CheckpointName):
        return checkpoint
    try:
        return CheckpointName.parse(str(checkpoint))
    except ValueError as error:
        raise UserError(f"--checkpoint: {error}") from error


class Model(LatentTools):
    """The generator of a run at one of its checkpoints. Nothing else of the checkpoint is read."""

    @explaining_out_of_memory()
    def __init__(
        self,
        run_dir: str | Path,
        checkpoint: str | int | CheckpointName | None = None,
        device: str = "auto",
    ):
        """Load it: see flaxgan.load.

        Raises UserError if it is no run, or has no such checkpoint.
        """
        path, name = Path(run_dir).expanduser(), checkpoint_name(checkpoint)
        self.run: TrainedRun
        self.step: int  # of the checkpoint
        self.generators: dict[str, Network]  # "result" and, of a cyclegan, "back"
        if path.suffix == safetensors.SUFFIX and not path.is_dir():
            if name:
                raise UserError(f"{path} holds one state alone; leave --checkpoint out")
            self.device = set_up_devices(device)[0]
            self.run, self.step, self.generators = safetensors.read(path, self.device)
            return
        self.run = load_run(path)
        self.device = set_up_devices(device)[0]
        state = load(self.run, name, self.device, to_sample(self.config))
        self.step = int(state.step)
        self.generators = method_of(self.config).generators(state, self.run.class_counts)

    @property
    def class_names(self) -> list[str]:
        """Return the names of the classes that can be asked for; none of an unconditional run."""
        return [*self.run.class_counts] if self.config.num_classes else []

    def class_ids(self, labels: Label | Sequence[Label]) -> list[int]:
        """Return the numbers of classes, given by name or number, or as "all".

        Raises UserError if it has none such.
        """
        if not self.config.num_classes:
            raise UserError(
                "--class is for a run that was trained with --conditional, and"
                f" {self.config.run_dir} was not"
            )
        return class_ids(labels, self.run.class_counts)

    @explaining_out_of_memory()
    def sample(
        self,
        num: int | None = None,
        seed: int | None = None,
        labels: Label | Sequence[Label] | np.ndarray | None = None,
        truncation: float | None = None,
        interpolate: Sequence[int] | None = None,
        frames: int | None = None,
    ) -> np.ndarray:
        """Make images: uint8 (N, H, W, C).

        Image i depends on the seed (default 0) and on i alone, whatever `num` is (default 64).

        `labels`, of a conditional run: a class by name or number; a list of classes, or "all":
        `num` (default 8) images of each, one class after the other, all from the same z; or an
        integer array (num,): the class of each image. Without them, classes are as frequent as in
        the training data. `truncation`: the largest magnitude of a number in z, at least 0.01: more
        typical images, and less varied ones. `interpolate`: seeds, from the first image of each to
        that of the next in `frames` (default 16) steps; num and seed are then left out.

        Raises UserError for what contradicts itself, or for classes that the run does not have.
        """
        if translates(self.config):
            raise UserError(
                f"{self.config.run_dir} translates pictures, and draws none of its own; give it"
                " some: python -m flaxgan.translate RUN PICTURE ..., in Python model.translate"
            )
        if isinstance(labels, np.ndarray) and num is None and interpolate is None:
            num = len(labels)
        request = Request(
            num=num,
            seed=seed,
            labels=labels,
            truncation=truncation,
            interpolate=interpolate,
            frames=frames,
        )
        seed, latent_dim = seed or 0, self.config.options.latent_dim
        if interpolate is not None:
            seed = interpolate[0]
            z = between([*interpolate], frames or 16, latent_dim, truncation)
        else:
            z = first_latents(seed, request.each, latent_dim, truncation=truncation)
        rows = self._rows(labels, seed, len(z), interpolate is not None)
        return np.concatenate([draw(self.generators["result"], z, row) for row in rows])

    def _rows(
        self, labels: Label | Sequence[Label] | np.ndarray | None, seed: int, each: int, one: bool
    ) -> list[np.ndarray | None]:
        """Return the labels (each,) of the images of one set of z, and of each further one.

        If `one`, the images of a set share a class.
        """
        if isinstance(labels, np.ndarray):
            if labels.shape != (each,):
                raise UserError(
                    f"labels are an array of shape {labels.shape}, and there are {each} images;"
                    " give one for each"
                )
            return [np.array(self.class_ids(labels.tolist()), np.int32)]
        if labels is not None:
            return [np.full(each, id, np.int32) for id in self.class_ids(labels)]
        if not self.config.num_classes:
            return [None]
        drawn = random_classes(self.run.class_counts, seed, 1 if one else each)
        return [np.resize(drawn, each)]

    @explaining_out_of_memory()
    def translate(self, images: np.ndarray, *, backwards: bool = False) -> np.ndarray:
        """Translate images of any size: uint8 (N, H, W, 1 or 3) or (N, H, W) -> (N, H', W', C).

        H' and W' are H and W, or with --method srgan so many times those. Grey becomes colour and
        the other way round, as the network takes it. `backwards`, of a cyclegan: from images like
        --target to those like --dataset. Raises UserError for other arrays, and for a run that does
        not translate, or not back.
        """
        if not translates(self.config):
            raise UserError(
                f"{self.config.run_dir} makes pictures of noise, and translates none; to sample:"
                " python -m flaxgan.sample RUN, in Python model.sample"
            )
        asked = self._translator(backwards)
        images = checked(images, where="what is to be translated").images
        channels = self.config.channels if backwards else source_channels(self.config)
        images = grey(images) if channels == 1 else images.repeat(channels // images.shape[-1], -1)
        return translated(partial(translate, self.generators[asked]), images, self.config)

    def _translator(self, backwards: bool) -> str:
        """Return the name of a generator. Raises UserError if the run has no such one."""
        if backwards and "back" not in self.generators:
            raise UserError(
                f"--backwards is for --method cyclegan, and {self.config.run_dir} is"
                f" {self.config.method}; leave it out"
            )
        return "back" if backwards else "result"

    @explaining_out_of_memory()
    def page(
        self, output: str | Path, *, title: str | None = None, backwards: bool = False
    ) -> None:
        """Write a folder with a web page in which a browser runs the generator: see docs/page.md.

        `title`: its headline (default: the name of the run's folder). `backwards`: as in translate.
        Raises UserError if something is there already, or if a page can't run the network.
        """
        from flaxgan.formats.webpage import write_page

        output, config = Path(output).expanduser(), self.config
        require_apart(output, self.run.folder, config)
        name = self._translator(backwards)
        folder = self.run.folder.resolve()
        facts: dict[str, Any] = {
            "title": title or (folder.stem if folder.is_file() else folder.name),
            "facts": f"flaxgan {flaxgan.__version__}, step {self.step:,}",
        }
        if config.num_classes:
            counts = self.run.class_counts
            facts |= {"classNames": [*counts], "classCounts": [*counts.values()]}
        write_page(output, self.generators[name], config, name, facts)

    def export(
        self,
        output: str | Path | None = None,
        format: str | Sequence[str] = "all",
        uint8: bool = False,
    ) -> list[Path]:
        """Write the generator as files that run elsewhere, and a model card; return their paths.

        `output`: a folder (default: export in the run's). `format`: "onnx", "safetensors", which
        flaxgan.load reads, "jax", which JAX loads without flaxgan, a list of them, or "all".
        `uint8`, of onnx: pictures from 0 to 255 instead of float32 from -1 to 1. Each file is
        compared with this model before it is there. Raises UserError if a package that a format
        takes is missing, if a file can't be written, or if it would compute something else.
        """
        return [file.path for file in self.exporting(output, format, uint8)]

    def exporting(
        self, output: str | Path | None, format: str | Sequence[str], uint8: bool
    ) -> Iterator[File]:
        """Export, and yield each file when it is there: see export."""
        place = self.run.folder if self.run.folder.is_dir() else self.run.folder.parent
        folder = place / "export" if output is None else Path(output).expanduser()
        export = Export(self.generators, self.run, self.step, folder, self.device, uint8)
        formats = formats_of(format)
        samples = None if translates(self.config) else self.sample(64)
        with explaining_out_of_memory():
            yield from fill(export, formats, samples)

    def __repr__(self) -> str:
        return (
            f"Model({self.config.run_dir!r}, step {self.step},"
            f" {'x'.join(map(str, self.config.image_size))})"
        )

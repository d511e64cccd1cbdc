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
from flaxgan.drawing import drawn
from flaxgan.formats import safetensors
from flaxgan.formats.exporting import Export, File
from flaxgan.formats.folder import fill, formats_of
from flaxgan.latents import LatentTools
from flaxgan.methods import method_of, to_sample, translates
from flaxgan.methods.filled import translated
from flaxgan.methods.state import Network
from flaxgan.methods.translation import translate
from flaxgan.models.growth import require_grown
from flaxgan.request import Label, Request, as_prompts
from flaxgan.runs import asked
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
        self.generators = method_of(self.config).generators(state, self.run.conditions)

    @property
    def class_names(self) -> list[str]:
        """Return the names of the classes that can be asked for; none of an unconditional run."""
        return [*self.run.class_counts] if self.config.num_classes else []

    def class_ids(self, labels: Label | Sequence[Label]) -> list[int]:
        """Return the numbers of classes, given by name or number, or as "all".

        Raises UserError if it has none such.
        """
        return asked.class_ids_of(self.run, labels)

    @explaining_out_of_memory()
    def sample(
        self,
        num: int | None = None,
        seed: int | None = None,
        labels: Label | Sequence[Label] | np.ndarray | None = None,
        truncation: float | None = None,
        interpolate: Sequence[int] | None = None,
        frames: int | None = None,
        prompt: str | Sequence[str] | None = None,
        mix: Sequence[int] | None = None,
        mix_at: int | None = None,
    ) -> np.ndarray:
        """Make images: uint8 (N, H, W, C).

        Image i depends on the seed (default 0) and on i alone, whatever `num` is (default 64).

        `labels`, of a run that learnt classes: one by name or number; a list of them, or "all":
        `num` (default 8) images of each, one class after the other, all from the same z; or an
        integer array (num,): the class of each image. Without them, classes are as frequent as in
        the training data. `prompt`, of a run that learnt words: what is to be seen, or a list of
        such texts, `num` (default 8) images of each. `truncation`: the largest magnitude of a
        number in z, at least 0.01, or of a style generator how far its styles are from their mean,
        up to 1: more typical images, and less varied ones. `interpolate`: seeds, from the first
        image of each to that of the next in `frames` (default 16) steps; num and seed are then left
        out. Of one seed and several prompts: from prompt to prompt. `mix`, of a style generator:
        K images of the seed; returns K * K, of which (i, j) has the styles of i for maps smaller
        than `mix_at` pixels, and those of j from there on.

        Raises UserError for what contradicts itself, or for classes that the run does not have.
        """
        if translates(self.config):
            raise UserError(
                f"{self.config.run_dir} translates pictures, and draws none of its own; give it"
                " some: python -m flaxgan.translate RUN PICTURE ..., in Python model.translate"
            )
        if isinstance(labels, np.ndarray) and num is None and interpolate is None and mix is None:
            num = len(labels)
        request = Request(
            num=num,
            seed=seed,
            labels=labels,
            prompts=as_prompts(prompt),
            truncation=truncation,
            interpolate=interpolate,
            frames=frames,
            mix=mix,
            mix_at=mix_at,
        )
        return drawn(self.generators["result"], request, partial(asked.rows, self.run, request))

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
        which = self._translator(backwards)
        images = checked(images, where="what is to be translated").images
        channels = self.config.channels if backwards else source_channels(self.config)
        images = grey(images) if channels == 1 else images.repeat(channels // images.shape[-1], -1)
        return translated(partial(translate, self.generators[which]), images, self.config)

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
        self,
        output: str | Path,
        *,
        title: str | None = None,
        backwards: bool = False,
        prompts: Sequence[str] | None = None,
    ) -> None:
        """Write a folder with a web page in which a browser runs the generator: see docs/page.md.

        `title`: its headline (default: the name of the run's folder). `backwards`: as in translate.
        `prompts`: of a run that learnt words, what can be chosen (default: some of its captions).
        Raises UserError if something is there already, or if a page can't run the network.
        """
        from flaxgan.formats.webpage import write_page

        output, config = Path(output).expanduser(), self.config
        require_grown(config, self.step)
        require_apart(output, self.run.folder, config)
        name = self._translator(backwards)
        folder = self.run.folder.resolve()
        facts: dict[str, Any] = {
            "title": title or (folder.stem if folder.is_file() else folder.name),
            "facts": f"flaxgan {flaxgan.__version__}, step {self.step:,}",
        }
        arrays = {}
        if config.condition == "text":
            texts, arrays["prompts"] = asked.chosen(self.run, prompts)
            facts |= {"classNames": texts, "classCounts": [1] * len(texts)}
        elif prompts:
            raise UserError(f"--prompts is for a run that learnt words, and {folder} did not")
        elif config.num_classes:
            counts = self.run.class_counts
            facts |= {"classNames": [*counts], "classCounts": [*counts.values()]}
        write_page(output, self.generators[name], config, name, facts, arrays)

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
        require_grown(self.config, self.step)
        place = self.run.folder if self.run.folder.is_dir() else self.run.folder.parent
        folder = place / "export" if output is None else Path(output).expanduser()
        export = Export(self.generators, self.run, self.step, folder, self.device, uint8)
        formats = formats_of(format)
        lacks = self.config.condition == "text" and self.run.prompts is None
        samples = None if translates(self.config) or lacks else self.sample(64)
        with explaining_out_of_memory():
            yield from fill(export, formats, samples)

    def __repr__(self) -> str:
        return (
            f"Model({self.config.run_dir!r}, step {self.step},"
            f" {'x'.join(map(str, self.config.image_size))})"
        )

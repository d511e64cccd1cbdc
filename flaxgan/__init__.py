"""flaxgan: train GANs on small collections of pictures, in JAX and Flax."""

import importlib
import sys
import types
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flaxgan.api import discriminator_accuracy, evaluate, grid, load, train
    from flaxgan.config import Config
    from flaxgan.data.open import DATASETS
    from flaxgan.data.source import Source
    from flaxgan.methods.augment import AUGMENTATIONS
    from flaxgan.methods.losses import LOSSES, Loss
    from flaxgan.methods.penalties import PENALTIES
    from flaxgan.model import Model
    from flaxgan.models import ARCHITECTURES
    from flaxgan.run import Run
    from flaxgan.system.errors import UserError

__version__ = "0.2.0"
__all__ = [
    "ARCHITECTURES",
    "AUGMENTATIONS",
    "DATASETS",
    "LOSSES",
    "PENALTIES",
    "Config",
    "Loss",
    "Model",
    "Run",
    "Source",
    "UserError",
    "discriminator_accuracy",
    "evaluate",
    "grid",
    "load",
    "train",
]
_FROM = {  # the modules that have them, imported when they are first asked for
    **dict.fromkeys(("discriminator_accuracy", "evaluate", "grid", "load", "train"), "api"),
    **{
        "Config": "config",
        "Model": "model",
        "Run": "run",
        "UserError": "system.errors",
        "Source": "data.source",
    },
    **{
        "DATASETS": "data.open",
        "LOSSES": "methods.losses",
        "Loss": "methods.losses",
        "PENALTIES": "methods.penalties",
    },
    **{"AUGMENTATIONS": "methods.augment", "ARCHITECTURES": "models"},
}


class _Package(types.ModuleType):
    """Keeps the function `evaluate` where the command of that name, a module of this package, has
    been imported.
    """

    def __getattr__(self, name: str) -> Any:
        if name not in _FROM:
            raise AttributeError(f"module 'flaxgan' has no attribute {name!r}")
        return getattr(importlib.import_module(f"flaxgan.{_FROM[name]}"), name)

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _FROM and isinstance(value, types.ModuleType)):
            super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *__all__})


sys.modules[__name__].__class__ = _Package

"""A few faults of each kind; python -m tests.faults tries as many as one likes."""

import gc

import numpy as np
import pytest

from tests.faults.house import build
from tests.faults.kinds import KINDS

TRIALS = {"killed": 1, "log": 2, "open_files": 1}  # of the slow ones
# where it is Python or Orbax that is hit as it starts or ends, what is printed is theirs
ALONE = {"signalled", "file_size", "lost_process"}  # test_hosts.py tries the last


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    return build(tmp_path_factory.mktemp("house"))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Orbax's readers
@pytest.mark.parametrize("name", [name for name in KINDS if name not in ALONE])
def test_what_must_hold_holds(house, tmp_path, name):
    for trial in range(TRIALS.get(name, 12)):
        folder = tmp_path / str(trial)
        folder.mkdir()
        KINDS[name](np.random.default_rng(trial), house, folder)
    if name == "checkpoint":
        gc.collect()  # what Orbax's readers left is not to be another test's

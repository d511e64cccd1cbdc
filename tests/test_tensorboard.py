"""The event files of --tensorboard, read back as TensorBoard reads them."""

import struct
import subprocess
import sys

import numpy as np
import pytest

from flaxgan.config import Config
from flaxgan.data import open_data
from flaxgan.reports.events import Events, require_installed
from flaxgan.runs.folder import Run
from flaxgan.runs.snapshots import Drawn
from flaxgan.runs.trained import read_config
from flaxgan.system.errors import UserError
from tests.made_runs import made_run, row

protos = pytest.importorskip("tensorboardX.proto.event_pb2")


@pytest.fixture
def run(tmp_path):
    folder = made_run(tmp_path / "run", tensorboard=True)
    config = read_config(folder)[1]
    return Run(folder, config, open_data(Config()), None)


def events(folder):
    """Of all event files, the oldest first."""
    for path in sorted(
        (folder / "tensorboard").iterdir(), key=lambda path: path.stat().st_mtime_ns
    ):
        data = path.read_bytes()
        while data:
            (length,) = struct.unpack("<Q", data[:8])
            yield protos.Event.FromString(data[12 : 12 + length])
            data = data[16 + length :]


def shown(folder):
    """What is left after each start has taken back what came after it: {tag: {step: value}}."""
    found = {}
    for event in events(folder):
        if event.HasField("session_log"):
            assert event.session_log.status == protos.SessionLog.START
            for steps in found.values():
                for step in [step for step in steps if step >= event.step]:
                    del steps[step]
        for value in event.summary.value:
            found.setdefault(value.tag, {})[event.step] = value
    return found


def test_rows_snapshots_and_configuration(run):
    with Events(run, 0) as written:
        written.row(row(10, d_loss=0.5))
        written.drawn(
            Drawn(10, run.folder / "a.png", np.zeros((9, 7, 1), np.uint8), [], False, False)
        )
        written.drawn(Drawn(10, None, None, [], True, True))
    tags = shown(run.folder)
    assert tags["d_loss"][10].simple_value == 0.5 and tags["images_seen"][10].simple_value == 80
    image = tags["generated"][10].image
    assert (image.height, image.width) == (9, 7) and image.encoded_image_string[:4] == b"\x89PNG"
    (text,) = tags["configuration/text_summary"][0].tensor.string_val
    assert b"| --batch-size | 8 |" in text and b"| --tensorboard | True |" in text
    times = [event.wall_time for event in events(run.folder) if event.step == 10]
    assert times[0] == 1767225610, "of the row"


def test_a_resumed_run_takes_back_the_steps_that_were_lost(run):
    with Events(run, 0) as first:
        for step in (10, 20, 30):
            first.row(row(step, d_loss=1.0))
    with Events(run, 20) as second:
        second.row(row(25, d_loss=2.0))
    assert len([*(run.folder / "tensorboard").iterdir()]) == 2
    losses = {step: value.simple_value for step, value in shown(run.folder)["d_loss"].items()}
    assert losses == {10: 1.0, 20: 1.0, 25: 2.0}


def test_without_tensorboardx_a_line_says_what_to_install(monkeypatch):
    require_installed()
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(UserError, match=r"pip install 'flaxgan\[tensorboard\]'"):
        require_installed()


@pytest.mark.slow
def test_off_it_is_not_imported():
    code = "import sys, flaxgan.training; assert 'tensorboardX' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)

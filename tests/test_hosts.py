"""Two real processes of four virtual devices each, on loopback, against one process of eight."""

import json
import re
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

from flaxgan.data import open_source, prepare
from flaxgan.system import distributed as hosts
from flaxgan.system.seals import seal
from tests.conftest import TINY, start
from tests.test_train import rows, steps, without_timings

pytestmark = pytest.mark.usefixtures("own_convolutions", "every_device")

MEETING_AT = ["--distributed", "--num-processes", 2, "--process-id", 0, "--coordinator-address"]
TIME_TO_NOTICE = 60  # that another process is gone


def start_pair(*argv, only_second=(), env_of_second=None):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    joining = [
        "--distributed",
        "--coordinator-address",
        f"127.0.0.1:{port}",
        "--num-processes",
        2,
        "--process-id",
    ]
    first = start(*argv, *joining, 0, devices=4)
    return [first, start(*argv, *joining, 1, *only_second, devices=4, environment=env_of_second)]


def wait_for_step(processes, run_dir, step):
    while all(process.poll() is None for process in processes):
        log = rows(run_dir) if (run_dir / "metrics.jsonl").exists() else []
        if log and log[-1]["step"] >= step:
            return
        time.sleep(0.05)
    pytest.fail("\n".join(process.communicate()[1] for process in processes))


def end(processes, seconds=TIME_TO_NOTICE):
    """-> [(exit status, output, error)]."""
    results = []
    for process in processes:
        output, error = process.communicate(timeout=seconds)
        results.append((process.returncode, output, error))
    return results


def require_told_of_a_loss(status, error):
    (line,) = error.splitlines()  # and none of XLA's
    assert status == 2 and "has lost another process of this run; start all of them again" in line


@pytest.mark.parametrize(
    ("written", "status", "said"),
    [
        ("E1 coordination_service_agent.cc:2] Polled an error", 2, "a process is gone\n"),
        ("corrupted size", -signal.SIGABRT, "corrupted size\n"),
    ],
)
def test_an_abort_is_explained_if_it_is_for_the_loss_of_a_process(written, status, said):
    program = (
        "import os; from flaxgan.system.aborts import explain_aborts;"
        f"explain_aborts('a process is gone'); os.write(2, b'{written}\\n'); os.abort()"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (status, said)


@pytest.mark.slow
def test_two_processes_train_stop_die_and_resume_as_one_would(tmp_path, pictures, train):
    two, one = tmp_path / "two", tmp_path / "one"
    argv = ["--dataset", pictures, "--log-every", 1, "--epochs", 8, *TINY]

    pair = start_pair(*argv, "--run-dir", two)
    wait_for_step(pair, two, 3)
    pair[1].send_signal(signal.SIGINT)
    (first, output, error), (second, silence, _) = end(pair)
    assert (first, second) == (0, 0), error
    assert (
        "stopped by another process after step" in output
        and "parameters" in output
        and "parameters" not in silence
    )
    stopped = steps(two)[-1]
    assert rows(two)[-1]["step"] == stopped < 40

    pair = start_pair("--run-dir", two)
    wait_for_step(pair, two, stopped + 1)
    pair[1].kill()
    (first, _, error), _ = end(pair)
    require_told_of_a_loss(first, error)
    logged = rows(two)[-1]["step"]

    pair = start_pair("--run-dir", two)
    wait_for_step(pair, two, logged + 1)
    pair[0].kill()  # the one that the others meet at
    _, (second, _, error) = end(pair)
    require_told_of_a_loss(second, error)

    (first, output, error), (second, _, _) = end(start_pair("--run-dir", two), seconds=300)
    assert (first, second) == (0, 0), error
    assert re.search("(finished|ended after) 40 steps", output)
    train(*argv, "--run-dir", one)
    got, want = without_timings(rows(two)), without_timings(rows(one))
    assert [row["step"] for row in got] == list(range(1, 41))
    np.testing.assert_allclose(
        *([[row[name] for name in sorted(row)] for row in log] for log in (got, want)),
        rtol=0,
        atol=1e-4,
    )
    assert steps(two) == steps(one) == [30, 35, 40]
    config = json.loads((two / "config.json").read_text())
    assert "process_id" not in config and config["changes"] == []
    assert sorted(path.name for path in two.iterdir()) == sorted(
        path.name for path in one.iterdir()
    )


@pytest.mark.slow
def test_the_first_process_evaluates_and_all_keep_the_best(tmp_path, pictures, train):
    two, one = tmp_path / "two", tmp_path / "one"
    argv = [
        "--dataset",
        pictures,
        "--epochs",
        2,
        "--evaluate-every",
        1,
        "--evaluate-num",
        40,
        *TINY,
    ]
    (first, output, error), (second, silence, _) = end(
        start_pair(*argv, "--run-dir", two), seconds=300
    )
    assert (first, second) == (0, 0), error
    assert output.count("fd_efficientnet_lite0 ") >= 2 and "fd_efficientnet_lite0" not in silence
    train(*argv, "--run-dir", one)
    distances = [
        [row["fd_efficientnet_lite0"] for row in rows(run) if "fd_efficientnet_lite0" in row]
        for run in (two, one)
    ]
    assert len(distances[0]) == 2
    # a picture's pixel may be rounded the other way
    np.testing.assert_allclose(*distances, rtol=1e-2)
    for run, measured in zip((two, one), distances, strict=True):
        assert [path.name for path in (run / "best_checkpoint").iterdir()] == [
            str(5 * (1 + int(np.argmin(measured))))
        ]


@pytest.mark.slow
def test_processes_started_differently_are_told(tmp_path, pictures):
    run_dir = tmp_path / "run"
    pair = start_pair(
        "--dataset",
        pictures,
        "--run-dir",
        run_dir,
        "--max-steps",
        1,
        *TINY,
        only_second=["--max-steps", 2],
    )
    assert all(
        status == 2 and "were given different flags" in error for status, _, error in end(pair)
    )
    assert not run_dir.exists()


@pytest.mark.slow
def test_processes_with_different_pictures_are_told(tmp_path, pictures, monkeypatch):
    argv = ["--dataset", pictures, "--run-dir", tmp_path / "run", *TINY]
    monkeypatch.setenv("FLAXGAN_CACHE", str(tmp_path))
    prepare(open_source(str(pictures)), (16, 16), 3)
    (meta,) = tmp_path.rglob("meta.json")
    meta.write_text(json.dumps(json.loads(meta.read_text()) | {"sha256": "of other pictures"}))
    seal(meta)  # as on a machine where the folder has other pictures
    monkeypatch.undo()
    pair = start_pair(*argv, env_of_second={"FLAXGAN_CACHE": str(tmp_path)})
    assert all(status == 2 and "find different pictures" in error for status, _, error in end(pair))
    assert not (tmp_path / "run").exists()


IMPATIENT = """
import sys
import flaxgan.system.distributed, flaxgan.main
flaxgan.system.distributed.SECONDS_UNSAID, flaxgan.system.distributed.SECONDS_TO_MEET = 0.1, 2
flaxgan.main.main(sys.argv[1:])
"""


@pytest.mark.slow
@pytest.mark.parametrize("process_id", [0, 1])
def test_a_process_that_waits_for_others_in_vain_says_so(tmp_path, pictures, process_id):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    joining = [
        "--distributed",
        "--coordinator-address",
        address,
        "--num-processes",
        2,
        "--process-id",
        process_id,
    ]
    argv = [
        sys.executable,
        "-c",
        IMPATIENT,
        "--dataset",
        pictures,
        "--run-dir",
        tmp_path / "run",
        *TINY,
        *joining,
    ]
    alone = subprocess.run(
        [*map(str, argv)], capture_output=True, text=True, timeout=TIME_TO_NOTICE
    )
    assert alone.returncode == 2 and "waiting for the other processes" in alone.stdout
    (line,) = (line for line in alone.stderr.splitlines() if "flaxgan: error" in line)
    assert "did not meet within 2 s" in line and "start all N" in line
    assert not (tmp_path / "run").exists()


def test_a_folder_whose_name_is_no_text_reaches_the_others(monkeypatch):
    monkeypatch.setattr("jax.process_count", lambda: 2)
    monkeypatch.setattr(
        "flaxgan.system.distributed.multihost_utils.broadcast_one_to_all", lambda value: value
    )
    assert hosts.from_first("/shared/\udcff ü") == "/shared/\udcff ü"


def test_a_loss_that_jax_raises_as_another_error_is_a_line(monkeypatch, capsys):
    monkeypatch.setattr("jax.distributed.is_initialized", lambda: True)
    monkeypatch.setattr("os._exit", sys.exit)
    with pytest.raises(SystemExit), hosts.ending_together():
        raise ValueError("UNKNOWN: Gloo AllGather failed: [pair.cc:538] Connection reset by peer")
    require_told_of_a_loss(2, capsys.readouterr().err)
    with pytest.raises(SystemExit), hosts.ending_together():
        raise ValueError("a bug of a Connection")
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("several, ended_by", [(True, SystemExit), (False, KeyboardInterrupt)])
def test_a_second_ctrl_c_waits_for_no_other_process(monkeypatch, several, ended_by):
    monkeypatch.setattr("jax.distributed.is_initialized", lambda: several)
    monkeypatch.setattr("os._exit", sys.exit)
    with pytest.raises(ended_by) as ended, hosts.ending_together():
        raise KeyboardInterrupt
    assert not several or ended.value.code == 130


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--distributed", "--process-id", 0], "belong together"),
        (
            ["--coordinator-address", "localhost:1234", "--num-processes", 2, "--process-id", 0],
            "belong together",
        ),
        (
            [
                "--distributed",
                "--coordinator-address",
                "host",
                "--num-processes",
                2,
                "--process-id",
                0,
            ],
            "must be HOST:PORT",
        ),
        (MEETING_AT + ["127.0.0.1:99999"], "a port is a number from 1 to 65535"),
        (MEETING_AT + ["no-such-host.invalid:1234"], "no-such-host.invalid is not known"),
        (["--distributed", "--parallelism", "pmap"], "leave it at jit"),
        (["--distributed", "--data-home", "device"], "--data-home device is for one process"),
    ],
)
def test_flags_that_do_not_fit(tmp_path, pictures, refused, argv, message):
    assert message in refused("--dataset", pictures, "--run-dir", tmp_path / "run", *TINY, *argv)


def test_a_port_that_is_in_use_is_said(tmp_path, pictures, refused):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        argv = ("--dataset", pictures, "--run-dir", tmp_path / "run", *TINY, *MEETING_AT, address)
        assert "that port is in use" in refused(*argv)


def test_process_0_listens_where_it_is_told_to():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert hosts._checked(f"localhost:{port}", 0) in (f"127.0.0.1:{port}", f"[::1]:{port}")
    assert hosts._checked(f"localhost:{port}", 1) is None
    assert hosts._checked(f"192.0.2.1:{port}", 0) is None, "this machine has no such address"

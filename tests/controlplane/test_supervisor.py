import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from controlplane.supervisor import ProgramEnded, Supervisor
from tests.databases import ROOT

SLEEPS = [sys.executable, "-c", "import time; time.sleep(600)"]


@pytest.fixture
def output():
    return io.StringIO()


@pytest.fixture
def supervisor(tmp_path, output):
    with Supervisor(directory=tmp_path, output=output) as started:
        yield started


def test_output_carries_the_name_of_its_program(supervisor, output):
    supervisor.run("step", [sys.executable, "-c", "print('one'); print('two')"], os.environ)
    supervisor.stop()
    assert [line.split(" ", 1)[1] for line in output.getvalue().splitlines()] == ["step     | one", "step     | two"]


def test_output_that_is_no_text_is_shown_all_the_same(supervisor, output):
    supervisor.run("step", [sys.executable, "-c", r"import os; os.write(1, b'\xff\n')"], os.environ)
    supervisor.stop()
    assert "| �" in output.getvalue()


def test_a_failed_step_is_named_with_its_code(supervisor):
    with pytest.raises(ProgramEnded, match="the step 'migrate' failed with code 3"):
        supervisor.run("migrate", [sys.executable, "-c", "raise SystemExit(3)"], os.environ)


@pytest.mark.parametrize(
    ("program", "how"),
    [("raise SystemExit(0)", "with code 0"), ("import os; os.kill(os.getpid(), 9)", "by signal SIGKILL")],
)
def test_a_program_that_ends_by_itself_ends_the_watch(supervisor, program, how):
    supervisor.start("other", SLEEPS, os.environ)
    supervisor.start("web", [sys.executable, "-c", program], os.environ)
    with pytest.raises(ProgramEnded, match=f"'web' ended by itself {how}"):
        supervisor.watch()


def test_a_step_ends_when_a_program_dies_meanwhile(supervisor):
    supervisor.start("web", [sys.executable, "-c", "raise SystemExit(1)"], os.environ)
    with pytest.raises(ProgramEnded, match="'web' ended by itself"):
        supervisor.run("demo data", SLEEPS, os.environ)


def test_what_does_not_answer_in_time_is_named(supervisor):
    with pytest.raises(ProgramEnded, match="the web process did not answer within 0 s"):
        supervisor.wait_until(lambda: False, "the web process", seconds=0)


def test_leaving_stops_programs_and_what_they_started(tmp_path, output):
    program = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    with Supervisor(directory=tmp_path, output=output) as supervisor:
        parent = supervisor.start("worker", [sys.executable, "-c", program], os.environ)
        supervisor.wait_until(lambda: output.getvalue().endswith("\n"), "the child", seconds=60)
        child = int(output.getvalue().split("|")[1])
    deadline = time.monotonic() + 60
    while any(_runs(pid) for pid in (parent, child)):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_worker_that_is_ready_is_known(supervisor):
    supervisor.start(
        "worker", [sys.executable, "-c", "import time; print('w@h ready.', flush=True); time.sleep(600)"], os.environ
    )
    supervisor.wait_until(lambda: supervisor.says_ready("worker"), "the worker", seconds=60)
    assert not supervisor.says_ready("beat")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_and_says_so_in_the_exit_code(number, code):
    program = (
        "import sys, time\n"
        "from controlplane.supervisor import Stopped, stop_on_signals\n"
        "stop_on_signals()\n"
        "try:\n"
        "    print('up', flush=True)\n"
        "    time.sleep(600)\n"
        "except Stopped as stopped:\n"
        "    sys.exit(stopped.exit_code)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout
    with process.stdout:
        assert process.stdout.readline() == b"up\n"
        process.send_signal(number)
        assert process.wait(60) == code


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False

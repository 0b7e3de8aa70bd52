"""Progress: a bar on a terminal, a line a minute elsewhere, nothing when it is not wanted."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import types

import pytest

from pyvalue.measurement import progress
from pyvalue.measurement.progress import Pace, progress_bar


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test moves."""
    now = types.SimpleNamespace(seconds=1000.0)
    monkeypatch.setattr(progress, "time", types.SimpleNamespace(monotonic=lambda: now.seconds))
    return now


def steps(clock, count, seconds, total=None, questions=0, **options):
    with progress_bar("measuring", total or count, **options) as advance:
        for _ in range(count):
            clock.seconds += seconds
            advance(questions)


def test_a_short_run_in_a_log_says_nothing(clock, capfd):
    steps(clock, 59, 1.0)
    assert capfd.readouterr() == ("", "")


def test_a_long_run_in_a_log_says_a_line_a_minute(clock, capfd):
    steps(clock, 10, 30.0, questions=60)
    out, err = capfd.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "measuring: 2 of 10, 2 questions/s, 4 min left",
        "measuring: 4 of 10, 2 questions/s, 3 min left",
        "measuring: 6 of 10, 2 questions/s, 2 min left",
        "measuring: 8 of 10, 2 questions/s, 60 s left",
        "measuring: 10 of 10, 2 questions/s, took 5 min",
    ]


def test_what_was_done_before_says_nothing_of_the_speed(clock, capfd):
    steps(clock, 3, 3600.0, total=103, done=100)
    assert capfd.readouterr().err.splitlines() == [
        "measuring: 101 of 103, 2 h 0 min left",
        "measuring: 102 of 103, 60 min left",
        "measuring: 103 of 103, took 3 h 0 min",
    ]


def test_a_run_that_stops_has_no_last_line(clock, capfd):
    with pytest.raises(KeyboardInterrupt, match="by hand"), progress_bar("measuring", 9) as advance:
        clock.seconds += 90
        advance()
        clock.seconds += 90
        raise KeyboardInterrupt("by hand")
    assert capfd.readouterr().err.splitlines() == ["measuring: 1 of 9, 12 min left"]


@pytest.mark.parametrize(("show", "lines"), [(False, 0), (True, 1), (None, 0)])
def test_a_short_run_speaks_only_when_told_to(clock, capfd, show, lines):
    steps(clock, 3, 1.0, show=show)
    assert capfd.readouterr().err.splitlines() == ["measuring: 3 of 3, took 3 s"][:lines]


def test_nothing_to_do_is_no_fault(clock, capfd):
    for show in (None, True, False):
        with progress_bar("measuring", 0, show):
            pass
    assert str(Pace(5)) == "" and Pace(5).seconds_left is None and Pace(5).rate is None


def test_a_terminal_gets_a_bar_with_rate_and_time_left():
    pty = pytest.importorskip("pty", reason="needs pseudo-terminals")
    code = (
        "from pyvalue.measurement.progress import progress_bar; import time\n"
        "with progress_bar('measuring (layer[/3])', 4) as advance:\n"
        "    for _ in range(4): time.sleep(0.15); advance(30)\n"
    )
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=theirs, env=environment
    ) as child:
        os.close(theirs)
        shown = io.BytesIO()
        while True:
            try:
                piece = os.read(ours, 4096)
            except OSError:  # how Linux says that the other end was closed
                break
            if not piece:
                break
            shown.write(piece)
        assert child.stdout.read() == b""
    os.close(ours)
    text = shown.getvalue().decode()
    for piece in ("measuring (layer[/3])", "4/4", "questions/s", " s left", "took"):
        assert piece in text

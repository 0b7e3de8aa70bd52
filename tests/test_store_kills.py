"""Kills (SIGKILL) at random moments: nothing stored is lost or asked again, and the finished table is that of one run.

The processes that are killed run this file as a program, or are forked from one that does.
"""

from __future__ import annotations

import collections
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

import pyvalue.measurement.run_parts as run_parts_module
from pyvalue.measurement.run_parts import run_parts
from pyvalue.responses import make_table

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

KILLS = 16
LABELS = ("", "a")


# what the processes do


def answers(number, units):
    """What a model with no randomness would say."""
    edit, persona = divmod(number, units)
    p = [((number * 31 + i * 17) % 97 + 1) / 99 for i in range(5)]
    return make_table(
        {
            "model": "made up", "edit": LABELS[edit], "persona": f"person {persona}", "item": list("abcde"),
            "value": "Power", "keying": 1, "text": "Should I?", "status": "yes", "p_yes": p, "mass": 0.9,
            "score": [2 * x - 1 for x in p],
        }
    )  # fmt: skip


def note(log, unit, missing):
    """One line for every time that a unit is asked, in a file that several processes append to."""
    line = json.dumps({"process": os.getpid(), "unit": unit, "parts": list(missing)}) + "\n"
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, line.encode())
    os.close(descriptor)


def work(folder, log, shared, units, seconds=0.02, hang_at=None):
    """Finish a run of made-up answers; or hang in the unit that this process asks as its ``hang_at``-th."""
    run_parts_module.PAUSE = 0.01
    asked = 0

    def ask(unit, missing):
        nonlocal asked
        note(log, unit, missing)
        asked += 1
        time.sleep(600 if asked == hang_at else seconds)
        return {number: answers(number, units) for number in missing}

    def numbers_of(unit):
        return [c * units + unit for c in range(len(LABELS))]

    study = {"kind": "made up", "units": units}
    return run_parts(folder, study, range(units), numbers_of, ask, progress=False, shared=shared).table


def whole(units):
    """The table of a run that nobody stopped."""
    return pd.concat([answers(number, units) for number in range(len(LABELS) * units)], ignore_index=True)


def die_in_a_write(chance):
    """From now on, a rename kills this process: before it or after it, by chance."""
    replace = os.replace

    def deadly(source, target):
        moment = chance.random()
        if moment < 0.15:
            os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target)
        if moment > 0.85:
            os.kill(os.getpid(), signal.SIGKILL)

    os.replace = deadly


def fork(task):
    """Process id of a child that does a task and nothing else."""
    child = os.fork()
    if child:
        return child
    try:
        task()
    except BaseException as fault:
        print(repr(fault), file=sys.stderr, flush=True)
        os._exit(1)
    os._exit(0)


def stored(folder):
    """Parts by number, with the time of their writing."""
    paths = Path(folder, "responses").glob("part-*.parquet")
    return {int(path.stem.removeprefix("part-")): path.stat().st_mtime_ns for path in paths}


def kill_at_random(start, folder, chance, workers, parts):
    """Start workers, and kill one and start another, until ``KILLS`` have died. Returns them and those that live."""
    killed, alive, before = [], [start(i) for i in range(workers)], {}
    while len(killed) < KILLS:
        goal = len(before) + chance.randint(0, 3)
        victim = alive.pop(chance.randrange(len(alive)))
        until = time.monotonic() + 30
        while (status := os.waitpid(victim, os.WNOHANG)) == (0, 0) and len(stored(folder)) < goal:
            assert time.monotonic() < until, "nothing is stored any more"
            time.sleep(0.001)
        if status == (0, 0):
            time.sleep(chance.uniform(0, 0.02))
            os.kill(victim, signal.SIGKILL)
            status = os.waitpid(victim, 0)
        if os.WIFSIGNALED(status[1]):
            killed.append(victim)
        else:
            assert status[1] == 0, "a worker ended with a fault"
        now = stored(folder)
        assert before.items() <= now.items(), "a stored part was lost or written again"
        assert len(now) < parts, f"finished after {len(killed)} kills; give it more to do"
        before = now
        alive.append(start(len(killed)))
    return killed, alive


def check_log(log, killed, parts, per_unit):
    """Every part was asked once, and once more at most for every kill that it was in flight at."""
    lines = [json.loads(line) for line in Path(log).read_text().splitlines()]
    last = {line["process"]: i for i, line in enumerate(lines)}
    in_flight = collections.Counter()
    for process in killed:
        if process in last:
            in_flight.update(lines[last[process]]["parts"])
    asked = collections.Counter(number for line in lines for number in line["parts"])
    assert sorted(asked) == list(range(parts)), "a part was never asked"
    again = {number: times - 1 for number, times in asked.items() if times - 1 > in_flight[number]}
    assert not again, f"asked again without a kill: {again}"
    assert sum(asked.values()) - parts <= len(killed) * per_unit


def shared_scenario(folder, units=60):
    log, chance = f"{folder}.log", random.Random(2)

    def start(i):
        seed = chance.random()

        def task():
            if i % 2:
                die_in_a_write(random.Random(seed))
            work(folder, log, True, units)

        return fork(task)

    killed, alive = kill_at_random(start, folder, chance, 2, len(LABELS) * units)
    for child in alive:
        os.waitpid(child, 0)  # may yet die in a write
    table = work(folder, log, True, units)
    pd.testing.assert_frame_equal(table, whole(units), check_exact=True)
    check_log(log, [*killed, *alive], len(LABELS) * units, 2)
    assert sorted(path.name for path in Path(folder).iterdir()) == [".lock", "manifest.json", "responses"]
    assert not list(Path(folder).rglob(".*.part"))


def measured_scenario(model, folder):
    import torch

    torch.set_num_threads(1)  # a forked process has no threads of its parent's
    from pyvalue.measurement.api import measure
    from pyvalue.measurement.inventory import Inventory, Item
    from pyvalue.measurement.personas import make_personas
    from pyvalue.measurement.score_asking import ScoreAsker
    from pyvalue.models.direction import Direction
    from pyvalue.models.edits import Edit
    from pyvalue.models.loading import load_model

    people = make_personas(26, seed=1)
    log, chance, real = f"{folder}.log", random.Random(5), ScoreAsker.ask
    vector = torch.randn(64, generator=torch.Generator().manual_seed(0))
    push = Edit(op="direction", strength=3.0, direction=Direction(vector, "blocks.1.hook_resid_post", "push"))
    configurations = {"": [], "push": [push], "twice": [push, push]}
    labels = list(configurations)
    items = [
        Item(f"{value}{keying:+d}", value, keying, f"Should I {word} {value.lower()}?")
        for value in ("Power", "Security") for keying, word in ((1, "seek"), (-1, "avoid"))
    ]  # fmt: skip
    language_model = load_model(model, dtype="float32", device="cpu")

    def noted(asker, persona, cells, wanted):
        unit = people.index(persona)
        note(log, unit, [labels.index(configuration.label) * len(people) + unit for configuration in wanted])
        return real(asker, persona, cells, wanted)

    def ask(into):
        return measure(
            language_model, Inventory("four", tuple(items)), people, configurations, folder=into, min_mass=0.0,
            progress=False,
        ).table  # fmt: skip

    uninterrupted = ask(None)
    ScoreAsker.ask = noted

    def start(i):
        seed = chance.random()

        def task():
            if i % 3 == 2:
                die_in_a_write(random.Random(seed))
            ask(folder)

        return fork(task)

    killed, alive = kill_at_random(start, folder, chance, 1, len(labels) * len(people))
    os.waitpid(alive[0], 0)
    pd.testing.assert_frame_equal(ask(folder), uninterrupted, check_exact=True)
    check_log(log, [*killed, *alive], len(labels) * len(people), len(labels))


# the tests


def program(*arguments):
    return [sys.executable, __file__, *map(str, arguments)]


def finished(*arguments):
    done = subprocess.run(program(*arguments), capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr[-3000:]


def test_kills_of_two_processes_that_share_a_run_change_nothing(tmp_path):
    """At random moments, and inside of writes."""
    finished("shared", tmp_path / "run")


def test_kills_while_a_model_is_measured_under_several_edits_change_nothing(tiny_model, tmp_path):
    tiny_model.network.save_pretrained(tmp_path / "model")
    tiny_model.tokenizer.save_pretrained(tmp_path / "model")
    finished("measured", tmp_path / "model", tmp_path / "run")


def test_three_processes_share_a_run_and_take_over_from_one_that_is_killed(tmp_path):
    log, units = tmp_path / "log", 30

    def lines():
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def start(hang_at):
        return subprocess.Popen(
            program("worker", tmp_path / "run", log, units, hang_at), stdout=subprocess.PIPE, text=True
        )

    def wait_for(condition):
        until = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < until
            time.sleep(0.01)

    hanging = start(3)
    wait_for(lambda: len(lines()) >= 3)
    with hanging, start(0) as second, start(0) as third:
        wait_for(lambda: len({line["unit"] for line in lines()}) == units)
        time.sleep(0.3)  # both now wait for the unit of the first
        assert second.poll() is None and third.poll() is None
        hanging.kill()
        tables = {process.communicate(timeout=60)[0].strip() for process in (second, third)}
    assert (second.returncode, third.returncode) == (0, 0)
    assert tables == {digest(whole(units))}
    asked = collections.Counter(line["unit"] for line in lines())
    in_flight = [line["unit"] for line in lines() if line["process"] == hanging.pid][-1]
    assert asked == {unit: 1 + (unit == in_flight) for unit in range(units)}
    assert len({line["process"] for line in lines()}) == 3


def digest(table):
    return hashlib.sha256(pd.util.hash_pandas_object(table, index=True).to_numpy().tobytes()).hexdigest()


if __name__ == "__main__":
    kind, *arguments = sys.argv[1:]
    if kind == "shared":
        shared_scenario(*arguments)
    elif kind == "measured":
        measured_scenario(*arguments)
    else:
        print(digest(work(arguments[0], arguments[1], True, int(arguments[2]), hang_at=int(arguments[3]))))

"""A run folder holds one study; what cannot be written, read or shared is named, and old answers stay as they are."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import importlib.metadata
import json
import os
import resource
import shutil
import subprocess
import sys
import threading

import pandas as pd
import pytest

import pyvalue.measurement.run_parts as run_parts_module
from pyvalue.errors import StoreError
from pyvalue.measurement.command_line import without_secrets
from pyvalue.measurement.locks import open_lock, try_lock
from pyvalue.measurement.run_parts import run_parts
from pyvalue.measurement.store import RunFolder, write_json, write_table
from pyvalue.responses import Responses, make_table

UNITS, CONFIGURATIONS = 6, ("", "a")
STUDY = {"model": {"name": "made up", "layers": 2}, "seed": 3}


def numbers_of(unit):
    return [c * UNITS + unit for c in range(len(CONFIGURATIONS))]


def answers(number, rows=20):
    """What a model with no randomness would say."""
    edit, persona = divmod(number, UNITS)
    p = [((number * 31 + i * 17) % 97 + 1) / 99 for i in range(rows)]
    return make_table(
        {
            "model": "made up", "edit": CONFIGURATIONS[edit], "persona": f"person {persona}",
            "item": [f"item {i}" for i in range(rows)], "value": "Power", "keying": 1, "text": "Should I?",
            "status": ["yes" if x >= 0.5 else "no" for x in p], "p_yes": p, "mass": 0.9,
            "score": [2 * x - 1 for x in p],
        }
    )  # fmt: skip


def run(folder=None, study=STUDY, asked=None, **options):
    def ask(unit, missing):
        if asked is not None:
            asked.extend(missing)
        return {number: answers(number) for number in missing}

    return run_parts(folder, study, range(UNITS), numbers_of, ask, **{"progress": False, **options})


def parts(folder):
    return sorted((folder / "responses").glob("part-*.parquet"))


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def manifest(folder):
    return json.loads((folder / "manifest.json").read_text(encoding="utf-8"))


def leftovers(folder):
    return [path for path in folder.rglob(".*") if path.name != ".lock"]


WHOLE = run().table


def test_a_folder_gives_what_memory_gives_and_is_asked_once(tmp_path):
    asked = []
    pd.testing.assert_frame_equal(run(tmp_path / "run", asked=asked).table, WHOLE, check_exact=True)
    pd.testing.assert_frame_equal(run(tmp_path / "run", asked=asked).table, WHOLE, check_exact=True)
    pd.testing.assert_frame_equal(Responses.load(tmp_path / "run" / "responses").table, WHOLE, check_exact=True)
    assert sorted(asked) == list(range(12))
    assert list(dict.fromkeys(zip(WHOLE["edit"], WHOLE["persona"], strict=True))) == [
        (edit, f"person {i}") for edit in CONFIGURATIONS for i in range(UNITS)
    ]


def test_only_missing_parts_are_asked_and_others_are_not_touched(tmp_path):
    run(tmp_path)
    for number in (2, 8, 9):
        (tmp_path / "responses" / f"part-{number:06d}.parquet").unlink()
    before, asked = contents(tmp_path / "responses"), []
    pd.testing.assert_frame_equal(run(tmp_path, asked=asked).table, WHOLE, check_exact=True)
    assert asked == [2, 8, 9]
    assert before.items() <= contents(tmp_path / "responses").items()


def test_what_others_put_beside_the_parts_is_not_read(tmp_path):
    run(tmp_path)
    shutil.copy(parts(tmp_path)[0], tmp_path / "responses" / "part-000000 (copy).parquet")
    pd.testing.assert_frame_equal(run(tmp_path).table, WHOLE, check_exact=True)


@pytest.mark.parametrize("lacks", [["answer"], ["mode", "wording", "order", "repeat", "answer", "perplexity"]])
def test_parts_that_lack_newer_columns_are_read_beside_others(tmp_path, lacks):
    run(tmp_path)
    path = tmp_path / "responses" / "part-000003.parquet"
    pd.read_parquet(path).drop(columns=lacks).to_parquet(path)
    pd.testing.assert_frame_equal(run(tmp_path).table, WHOLE, check_exact=True)


def test_a_part_of_another_kind_is_named(tmp_path):
    run(tmp_path)
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "responses" / "part-000003.parquet")
    with pytest.raises(StoreError, match=r"part-000003\.parquet cannot be read .*missing columns"):
        run(tmp_path)


def test_parts_beyond_a_million_stay_in_order(tmp_path):
    with RunFolder(tmp_path, STUDY) as folder:
        for number in (1_000_000, 999_999):
            folder.write_part(number, answers(number % 12))
        assert [path.stem for path in folder.parts()] == ["part-999999", "part-1000000"]
        expected = pd.concat([answers(999_999 % 12), answers(1_000_000 % 12)], ignore_index=True)
        pd.testing.assert_frame_equal(folder.read().table, expected, check_exact=True)


def test_an_interrupt_leaves_nothing_half_and_passes_through(tmp_path, monkeypatch):
    calls, real = [], pd.DataFrame.to_parquet

    def interrupted(table, path, **options):
        calls.append(path)
        real(table, path, **options)
        if len(calls) == 6:
            raise KeyboardInterrupt("by hand")

    with monkeypatch.context() as patch:
        patch.setattr(pd.DataFrame, "to_parquet", interrupted)
        with pytest.raises(KeyboardInterrupt, match=r"^by hand$"):
            run(tmp_path)
    assert len(parts(tmp_path)) == 5 and leftovers(tmp_path) == []
    assert manifest(tmp_path)["status"]["done"] == 5
    asked = []
    pd.testing.assert_frame_equal(run(tmp_path, asked=asked).table, WHOLE, check_exact=True)
    assert len(asked) == 7


def test_leftovers_of_a_kill_are_removed_and_nothing_else(tmp_path):
    (tmp_path / "responses").mkdir()
    scratch = (".manifest.json.0a1b2c3d", "responses/.part-000001.parquet.0a1b2c3d", "responses/.part-000002.parquet")
    ours = [f"{name}.part" for name in scratch]
    for name in (*ours, "responses/.mine.part", "notes.part"):
        (tmp_path / name).write_bytes(b"half")
    pd.testing.assert_frame_equal(run(tmp_path).table, WHOLE, check_exact=True)
    assert not any((tmp_path / name).exists() for name in ours)
    assert (tmp_path / "responses/.mine.part").exists() and (tmp_path / "notes.part").exists()


# who may use a folder


@contextlib.contextmanager
def held(path, kind):
    """Another process has the lock."""
    code = f"import fcntl, sys; f = open(sys.argv[1], 'ab'); fcntl.flock(f, fcntl.{kind}); print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as other:
        other.stdout.readline()
        yield other
        other.stdin.close()


def test_a_second_process_is_refused_and_then_not(tmp_path):
    run(tmp_path)
    with held(tmp_path / ".lock", "LOCK_EX"), pytest.raises(StoreError, match=r"in use by another process$"):
        run(tmp_path)
    run(tmp_path)


def test_shared_and_not_shared_refuse_each_other(tmp_path, monkeypatch):
    monkeypatch.setattr("pyvalue.measurement.store._PATIENCE", 0.3)
    with RunFolder(tmp_path, STUDY), pytest.raises(StoreError, match="another process that does not share it"):
        run(tmp_path, shared=True)
    with RunFolder(tmp_path, STUDY, shared=True):
        with pytest.raises(StoreError, match=r"in use by another process$"):
            run(tmp_path)
        pd.testing.assert_frame_equal(run(tmp_path, shared=True).table, WHOLE, check_exact=True)
        with pytest.raises(StoreError, match=r"another study \(differs in: seed\)"):
            run(tmp_path, {**STUDY, "seed": 4}, shared=True)
    assert not (tmp_path / ".claims").exists()
    assert manifest(tmp_path)["study"] == STUDY


def test_one_that_waits_begins_the_run_when_the_first_one_dies_before_it_did(tmp_path):
    """The first process holds the lock alone while it writes the manifest; here it dies instead."""
    (tmp_path / ".lock").touch()
    with held(tmp_path / ".lock", "LOCK_EX") as first:
        timer = threading.Timer(0.3, first.kill)
        timer.start()
        pd.testing.assert_frame_equal(run(tmp_path, shared=True).table, WHOLE, check_exact=True)
        timer.join()


def test_a_study_is_refused_beside_one_that_has_no_answers_yet(tmp_path):
    with RunFolder(tmp_path, STUDY, shared=True), pytest.raises(StoreError, match="belongs to another study"):
        run(tmp_path, {**STUDY, "seed": 4}, shared=True)
    run(tmp_path, {**STUDY, "seed": 4})  # alone, it may


def test_a_shared_run_needs_a_folder():
    with pytest.raises(ValueError, match="shared: expected a folder"):
        run(shared=True)


def test_a_claim_is_held_once_and_is_free_after_a_fault(tmp_path):
    with RunFolder(tmp_path, STUDY, shared=True) as one, RunFolder(tmp_path, STUDY, shared=True) as other:
        with one.claim(3) as mine, other.claim(3) as theirs, other.claim(4) as another:
            assert (mine, theirs, another) == (True, False, True)
        with pytest.raises(RuntimeError, match="fell over"), one.claim(3):
            raise RuntimeError("fell over")
        with other.claim(3) as theirs:
            assert theirs


def test_a_file_system_without_locks_is_named(tmp_path, monkeypatch):
    def no_locks(*_):
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with pytest.raises(StoreError, match=r"cannot lock .*\.lock: No locks available; use a folder on"):
        run(tmp_path)


def test_a_lock_on_a_removed_file_is_no_lock(tmp_path):
    with RunFolder(tmp_path / "run", STUDY) as folder:
        shutil.rmtree(tmp_path / "run")
        with RunFolder(tmp_path / "run", {"another": "study"}) as other:
            with pytest.raises(StoreError, match="removed or replaced while in use"):
                folder.write_part(0, answers(0))
            other.write_part(0, answers(1))


# the manifest


def test_the_manifest_says_what_how_and_how_far(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/opt/tools/study.py", "--api-key", "sk-1234567890abcdef", "--out", "my run"])
    run(tmp_path)
    found = manifest(tmp_path)
    assert found["study"] == STUDY
    assert found["command"] == ["study.py", "--api-key", "***", "--out", "my run"]
    assert found["versions"].pop("python") == ".".join(map(str, sys.version_info[:3]))
    assert found["versions"] == {name: importlib.metadata.version(name) for name in found["versions"]}
    assert "pyvalue" in found["versions"]
    assert found["status"]["done"] == found["status"]["total"] == 12
    times = [pd.Timestamp(found["started"]), pd.Timestamp(found["status"]["finished"])]
    now = pd.Timestamp.now(tz="UTC")
    assert all(now - pd.Timedelta(minutes=1) < time <= now for time in times)
    before = (tmp_path / "manifest.json").read_bytes()
    monkeypatch.setattr(sys, "argv", ["another.py"])
    run(tmp_path)
    assert (tmp_path / "manifest.json").read_bytes() == before


def test_the_status_follows_a_run_that_stops(tmp_path, monkeypatch):
    monkeypatch.setattr(run_parts_module, "RECORD_EVERY", 0.0)
    seen = []

    def ask(unit, missing):
        seen.append((manifest(tmp_path)["status"]["done"], manifest(tmp_path)["status"]["finished"]))
        if unit == 4:
            raise RuntimeError("the model fell over")
        return {number: answers(number) for number in missing}

    with pytest.raises(RuntimeError, match="fell over"):
        run_parts(tmp_path, STUDY, range(UNITS), numbers_of, ask, progress=False)
    assert seen == [(done, None) for done in (0, 2, 4, 6, 8)]
    assert manifest(tmp_path)["status"]["done"] == 8


def test_a_manifest_without_a_status_is_the_same_study(tmp_path):
    run(tmp_path)
    write_json(tmp_path / "manifest.json", {"schema": 2, "study": STUDY})
    pd.testing.assert_frame_equal(run(tmp_path).table, WHOLE, check_exact=True)


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        (1, r"older version.*can still be read with Responses\.load\('.*responses'\).*cannot be resumed: use another"),
        (3, r"newer version.*schema 3.*reads 2.*upgrade pyvalue"),
    ],
)
def test_a_folder_of_another_schema_is_refused_by_its_age(tmp_path, schema, said):
    run(tmp_path)
    write_json(tmp_path / "manifest.json", {**manifest(tmp_path), "schema": schema})
    before = contents(tmp_path)
    with pytest.raises(StoreError, match=said):
        run(tmp_path)
    assert contents(tmp_path) == before
    assert len(Responses.load(tmp_path / "responses").table) == len(WHOLE)


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"study": 3}', '{"schema": 2}', '{"schema": "2", "study": {}}'])
def test_a_damaged_manifest_is_named(tmp_path, text):
    run(tmp_path)
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(StoreError, match=r"manifest\.json cannot be read"):
        run(tmp_path)


def test_answers_without_a_manifest_are_not_adopted(tmp_path):
    run(tmp_path)
    (tmp_path / "manifest.json").unlink()
    with pytest.raises(StoreError, match=r"holds answers but no manifest\.json"):
        run(tmp_path)


def test_another_study_is_refused_by_what_differs(tmp_path):
    run(tmp_path)
    before = contents(tmp_path)
    for study, named in [
        ({**STUDY, "seed": 4}, "seed"),
        ({"model": {"name": "other", "layers": 2}, "seed": 3, "more": 1}, r"model\.name, more"),
        ({**STUDY, **{f"prompt {i}": i for i in range(30)}}, r"prompt 0, .*, 22 more"),
    ]:
        with pytest.raises(StoreError, match=rf"another study \(differs in: {named}\)"):
            run(tmp_path, study)
    assert contents(tmp_path) == before


def test_parts_of_another_size_are_not_mixed(tmp_path):
    run(tmp_path)
    with pytest.raises(StoreError, match="was begun with 12 parts, and this run has 3"):
        run_parts(tmp_path, STUDY, [0, 1, 2], lambda unit: [unit], None, progress=False)


def test_a_folder_that_a_failed_call_left_empty_can_be_used(tmp_path):
    with RunFolder(tmp_path, {"asked": "with a mistake"}):
        pass
    pd.testing.assert_frame_equal(run(tmp_path).table, WHOLE, check_exact=True)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (["--api-key", "x"], ["--api-key", "***"]),
        (["--hf-token=abc", "--max-new-tokens", "64"], ["--hf-token=***", "--max-new-tokens", "64"]),
        (["OPENAI_API_KEY=abc def"], ["OPENAI_API_KEY=***"]),
        (["-H", "Authorization: Bearer abc.def"], ["-H", "Authorization: ***"]),
        (["-H", "X-Custom: Bearer abc.def"], ["-H", "X-Custom: Bearer ***"]),
        (["https://me:pass@host:8000/v1"], ["https://***@host:8000/v1"]),
        (["https://me:p@ss@host/v1"], ["https://***@host/v1"]),
        (["https://host/v1?n=1&api_key=abc&m=2"], ["https://host/v1?n=1&api_key=***&m=2"]),
        (["sk-proj-abcdefgh12345678"], ["***"]),
        (["model@hf_abcdefghijklmnop"], ["model@***"]),
        (["9f86d081884c7d659a2feaa0c55ad015"], ["***"]),
        (["Zx-9f86d081884c7d65Qa_feaa0c55ad015bb"], ["***"]),
        (["0f8fad5b-d9cb-469f-a165-70867728950e"], ["***"]),
        (["runs/Meta-Llama-3-8B-Instruct-2026-with-100-personas"],) * 2,
        (["--keying", "balanced", "--seed", "3", "http://localhost:8000/v1", "monkey=1"],) * 2,
    ],
)
def test_the_command_holds_no_secrets(given, kept):
    assert without_secrets(["/usr/bin/pyvalue", *given]) == ["pyvalue", *kept]


def test_the_program_is_named_without_its_path():
    assert without_secrets([]) == []
    assert without_secrets(["/opt/site-packages/pyvalue/__main__.py", "demo"]) == ["pyvalue", "demo"]
    assert without_secrets(["-c"]) == ["-c"]


# disks and folders that fail


@pytest.fixture
def small_disk(tmp_path):
    """A file system in memory that can be filled: its folder, and a function that sets its options."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(options):
        return subprocess.run(["mount", *options, str(folder)], capture_output=True, check=False).returncode == 0

    if os.geteuid() != 0 or not mount(["-t", "tmpfs", "-o", "size=1m,nr_inodes=100", "none"]):
        pytest.skip("only root can mount a small disk")
    yield folder, lambda options: mount(["-o", f"remount,{options}"])
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(disk, leave):
    """Fill a disk up to some pages."""
    with open(disk / "filler", "wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    size = (disk / "filler").stat().st_size
    os.truncate(disk / "filler", max(size - leave * 4096, 0))


def fill_with_files(disk):
    """Fill a disk with empty files, until it has no room for another."""
    found = []
    with contextlib.suppress(OSError):
        while True:
            path = disk / f"filler-{len(found)}"
            path.touch()
            found.append(path)
    return found


def test_a_full_disk_at_any_moment_is_named_and_leaves_old_answers(small_disk):
    disk, _ = small_disk
    folder, reasons = disk / "run", []
    for begun in (False, True):
        for pages in range(0, 42, 7):
            shutil.rmtree(folder, ignore_errors=True)
            if begun:
                run(folder)
                for path in parts(folder)[3:9]:
                    path.unlink()
            before = contents(folder / "responses")
            fill(disk, pages)
            try:
                run(folder)
            except StoreError as fault:
                reasons.append(str(fault))
                assert str(folder) in str(fault) and "No space left on device" in str(fault)
            assert leftovers(folder) == [] if folder.exists() else True
            assert before.items() <= contents(folder / "responses").items()
            (disk / "filler").unlink()
            pd.testing.assert_frame_equal(run(folder).table, WHOLE, check_exact=True)
    assert sum("manifest.json" in reason for reason in reasons) >= 1
    assert len({reason for reason in reasons if "part-" in reason}) >= 4


@pytest.mark.parametrize("shared", [False, True])
def test_a_disk_without_room_for_another_file_is_named(small_disk, shared):
    disk, _ = small_disk
    stages = set()
    for files in range(9):
        shutil.rmtree(disk / "run", ignore_errors=True)
        fillers = fill_with_files(disk)
        for filler in fillers[:files]:
            filler.unlink()
        with pytest.raises(StoreError, match="No space left on device") as fault:
            run(disk / "run", shared=shared)
        names = ("run folder", ".lock", ".claims", "manifest.json", "part-")
        stages.add(next(name for name in names if name in str(fault.value)))
        for filler in fillers[files:]:
            filler.unlink()
        pd.testing.assert_frame_equal(run(disk / "run", shared=shared).table, WHOLE, check_exact=True)
    assert stages == {"run folder", ".lock", "manifest.json", "part-"} | ({".claims"} if shared else set())


def test_a_file_that_may_not_grow_is_named(tmp_path):
    """The same without root: the system refuses to let a file grow (RLIMIT_FSIZE)."""
    run(tmp_path / "run")
    for path in parts(tmp_path / "run")[3:]:
        path.unlink()
    before = contents(tmp_path / "run" / "responses")
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
        try:
            run(tmp_path / "run")
        except StoreError as fault:
            ok = "part-000006.parquet: File too large; nothing was changed" in str(fault)
            os._exit(0 if ok else 1)
        os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    assert contents(tmp_path / "run" / "responses") == before and leftovers(tmp_path) == []
    pd.testing.assert_frame_equal(run(tmp_path / "run").table, WHOLE, check_exact=True)


def test_a_disk_that_cannot_be_written_is_named(small_disk):
    disk, remount = small_disk
    run(disk / "run")
    assert remount("ro")
    with pytest.raises(StoreError, match=r"cannot write .*lock: Read-only file system"):
        run(disk / "run")
    with pytest.raises(StoreError, match=r"run folder .*new cannot be written: Read-only file system"):
        run(disk / "new")
    assert len(Responses.load(disk / "run" / "responses").table) == len(WHOLE)
    assert remount("rw")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match="Permission denied"):
        run(tmp_path / "run")
    tmp_path.chmod(0o700)


def test_a_file_where_the_folder_should_be_is_named(tmp_path):
    (tmp_path / "file").write_text("mine")
    for folder in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(StoreError, match=r"cannot be written: .*is not a folder"):
            run(folder)
    assert (tmp_path / "file").read_text() == "mine"


def test_a_folder_removed_during_the_run_is_named_and_not_made_again(tmp_path):
    def ask(unit, missing):
        if unit == 3:
            shutil.rmtree(tmp_path / "run")
        return {number: answers(number) for number in missing}

    with pytest.raises(StoreError, match=r"run folder .*run was removed or replaced while in use"):
        run_parts(tmp_path / "run", STUDY, range(UNITS), numbers_of, ask, progress=False)
    assert not (tmp_path / "run").exists()


def test_a_linked_folder_is_a_folder(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    run(tmp_path / "link")
    assert len(parts(tmp_path / "real")) == 12 and (tmp_path / "link").is_symlink()


def test_nothing_is_written_through_a_link(tmp_path):
    """The link of a part that leads nowhere is replaced; those of the manifest and the lock are refused."""
    (tmp_path / "run" / "responses").mkdir(parents=True)
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "run" / "responses" / "part-000004.parquet").symlink_to(tmp_path / "absent")
    (tmp_path / "run" / ".lock").symlink_to(tmp_path / "precious")
    write_json(tmp_path / "elsewhere.json", {"schema": 2, "study": STUDY})
    (tmp_path / "run" / "manifest.json").symlink_to(tmp_path / "elsewhere.json")
    before = (tmp_path / "elsewhere.json").read_bytes()
    with pytest.raises(StoreError, match=r"cannot write .*\.lock"):
        run(tmp_path / "run")
    (tmp_path / "run" / ".lock").unlink()
    with pytest.raises(StoreError, match=r"manifest\.json cannot be read .it is a symbolic link"):
        run(tmp_path / "run")
    (tmp_path / "run" / "manifest.json").unlink()
    write_json(tmp_path / "run" / "manifest.json", {"schema": 2, "study": STUDY})
    pd.testing.assert_frame_equal(run(tmp_path / "run").table, WHOLE, check_exact=True)
    assert (tmp_path / "precious").read_text() == "mine" and not (tmp_path / "absent").exists()
    assert (tmp_path / "elsewhere.json").read_bytes() == before
    assert not parts(tmp_path / "run")[4].is_symlink()


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"junk" * 100])
def test_a_damaged_part_is_named(tmp_path, damage):
    run(tmp_path)
    bad = parts(tmp_path)[1]
    bad.write_bytes(damage(bad.read_bytes()))
    with pytest.raises(StoreError, match=r"part-000001\.parquet.*cannot be read"):
        run(tmp_path)
    bad.unlink()
    pd.testing.assert_frame_equal(run(tmp_path).table, WHOLE, check_exact=True)


def test_files_and_folders_reach_the_disk_in_the_order_that_a_power_cut_needs(tmp_path, monkeypatch):
    """First the bytes, then the name, then the folder that holds the name."""
    events, sync, replace = [], os.fsync, os.replace

    def synced(descriptor):
        events.append(("sync", os.readlink(f"/proc/self/fd/{descriptor}")))
        sync(descriptor)

    def replaced(source, target):
        events.append(("rename", str(source)))
        replace(source, target)

    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("needs /proc")
    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    write_table(tmp_path / "table.parquet", WHOLE)
    (first, scratch), (second, source), (third, folder) = events
    assert (first, second, third) == ("sync", "rename", "sync")
    assert scratch == source and folder == str(tmp_path)


def test_a_lock_file_is_not_changed(tmp_path):
    (tmp_path / ".lock").write_text("kept")
    with open_lock(tmp_path / ".lock") as file:
        assert try_lock(file)
    assert (tmp_path / ".lock").read_text() == "kept"

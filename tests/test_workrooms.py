"""One suite for every workroom: what a program may do there, how it ends, and that nothing of it stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from grader import images
from grader.engines.docker import connect
from grader.engines.owned import Owned
from grader.engines.reaper import Ledger
from grader.workrooms import Done, Job, Workroom
from grader.workrooms.container import ContainerRoom
from grader.workrooms.local import LocalRoom

CACHE = Path(__file__).resolve().parents[1] / ".cache"
CONTAINER = pytest.param("container", marks=pytest.mark.engine)
ROOMS = ["local", CONTAINER]
contained = pytest.mark.parametrize("room", [CONTAINER], indirect=True)  # what a local room does not promise
Do = Callable[..., Done]


@pytest.fixture(scope="module", params=ROOMS)
def room(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workroom]:
    folder = tmp_path_factory.mktemp("rooms")
    with ExitStack() as stack:
        if request.param == "local":
            yield stack.enter_context(LocalRoom(folder / "work", folder / "cache"))
            return
        engine = connect()
        stack.callback(engine.close)
        base = images.ensure_base(engine, CACHE, lambda message: None)
        ledger = stack.enter_context(Ledger(folder / "active", "rooms"))
        owned = stack.enter_context(Owned(engine, ledger))
        yield stack.enter_context(ContainerRoom(owned, base.id))


@pytest.fixture
def do(room: Workroom, tmp_path: Path) -> Do:
    def run(code: str, **options: object) -> Done:
        files = {"work": {"a/b.txt": b"hello"}, "data": {"x.csv": b"1,2"}, "lab": {"deep/er/s.py": b"print('lab')"}}
        wanted = {"program": ("-I", "-c", code), "files": files, "seconds": 20} | options
        return room.do(Job(**wanted), tmp_path / "kept")

    return run


def test_a_program_finds_its_files_and_gives_back_what_was_asked_for(do: Do) -> None:
    code = """
import os, runpy, sys
print(open('a/b.txt').read(), open(f'{sys.argv[1]}/x.csv').read())
runpy.run_path(f'{sys.argv[2]}/deep/er/s.py')
os.mkdir(f'{sys.argv[3]}/d')
open(f'{sys.argv[3]}/d/answer', 'w').write('42')
open(f'{sys.argv[3]}/more', 'w').write('-')
"""
    done = do("", program=("-I", "-c", code, "{data}", "{lab}", "{out}"), take=("d/answer", "other"))
    assert (done.problem, done.exit_code, done.stdout) == (None, 0, b"hello 1,2\nlab\n")
    answer = done.outputs["d/answer"]
    assert answer.path is not None and answer.path.read_bytes() == b"42" and answer.size == 2
    assert (done.outputs["other"].problem, done.others) == ("missing", ("more",))


def test_a_program_that_takes_nothing_has_its_files_too(do: Do) -> None:
    done = do("print(open('a/b.txt').read()); open('new', 'w').write('x')")
    assert (done.problem, done.stdout, done.outputs) == (None, b"hello\n", {})


def test_a_request_is_one_line_on_standard_input_and_the_answer_is_no_log(do: Do) -> None:
    done = do("import sys; print(sys.stdin.readline().upper()); print('aside', file=sys.stderr)", request=b"please")
    assert (done.stdout.strip(), done.log) == (b"PLEASE", "aside\n")


def test_a_large_request_arrives_whole(do: Do) -> None:
    done = do("import sys; print(len(sys.stdin.readline()))", request=b"x" * 20_000_000)
    assert done.stdout.strip() == b"20000001"


def test_without_a_request_standard_input_is_empty(do: Do) -> None:
    assert do("import sys; print(repr(sys.stdin.read()))").stdout == b"''\n"


@pytest.mark.parametrize("take", [(), ("x",)], ids=["ours", "theirs"])
def test_what_never_ends_is_ended(do: Do, take: tuple[str, ...]) -> None:
    began = time.monotonic()
    done = do("while True:\n try:\n  import time; time.sleep(1)\n except BaseException: pass", seconds=1.5, take=take)
    assert (done.problem, done.exit_code) == ("timeout", None)
    assert time.monotonic() - began < 15


def test_a_flood_is_cut_off(do: Do) -> None:
    done = do("import os\nwhile True: os.write(1, b'x' * 65536)", take=("x",))
    assert done.problem == "output"
    assert len(done.stdout) <= 1 << 20 and len(done.log) <= 65536


def test_what_is_printed_up_to_the_ceiling_is_kept_and_no_more(do: Do) -> None:
    done = do("print('x' * 2000)", stdout_bytes=1000)
    assert (done.problem, len(done.stdout)) == (None, 1000)


def test_a_program_that_is_killed_is_no_success(do: Do) -> None:
    done = do("import os; print('all good', flush=True); os.kill(os.getpid(), 9)")
    assert (done.problem, done.exit_code, done.stdout) == ("killed", -9, b"all good\n")


def test_an_exit_code_is_a_failure(do: Do) -> None:
    done = do("raise SystemExit(3)")
    assert (done.problem, done.exit_code) == ("exit", 3)


def test_the_end_of_the_log_says_why(do: Do) -> None:
    done = do("import atexit, time; print('held back'); atexit.register(time.sleep, 0.3); 1/0")
    assert done.problem == "exit" and "held back" in done.log
    assert done.log.endswith("ZeroDivisionError: division by zero\n")
    done = do("print('-' * 100_000); 1/0")
    assert done.log.endswith("ZeroDivisionError: division by zero\n") and len(done.log) <= 65536


def test_memory_is_capped(do: Do) -> None:
    done = do("x = bytearray(600 << 20)\nimport time; time.sleep(5)", memory_mib=200, take=("x",))
    assert done.problem == "memory"


def test_a_child_process_is_counted_too(do: Do) -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'x = bytearray(600 << 20); input()'])"
    assert do(code + "; raise SystemExit(1)", memory_mib=200, seconds=10).problem in ("memory", "exit")


def test_nothing_outlives_a_program(do: Do, tmp_path: Path) -> None:
    code = """
import os, time
for number in range(5):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execvp('sleep', ['sleep', '4242.5'])
        os._exit(0)
print('done')
"""
    done = do(code, take=("x",))
    assert (done.problem, done.stdout) == (None, b"done\n")
    assert not [pid for pid in os.listdir("/proc") if pid.isdigit() and b"4242.5" in _command(pid)]


def _command(pid: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def test_links_pipes_and_folders_are_no_results(do: Do, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    code = f"""
import os, sys
out = sys.argv[1]
os.symlink({str(secret)!r}, f'{{out}}/link')
os.symlink(sys.argv[2] + '/x.csv', f'{{out}}/near')
os.symlink(sys.argv[2], f'{{out}}/folder')
os.mkfifo(f'{{out}}/pipe')
os.mkdir(f'{{out}}/dir')
"""
    take = ("link", "near", "folder/x.csv", "pipe", "dir")
    done = do("", program=("-I", "-c", code, "{out}", "{data}"), take=take)
    problems = {name: output.problem for name, output in done.outputs.items()}
    assert problems == {"link": "link", "near": "link", "folder/x.csv": "link", "pipe": "special", "dir": "special"}
    assert not any(output.path for output in done.outputs.values())
    assert done.others == ("folder",)


@contained
def test_rights_taken_away_do_not_hide_a_result(do: Do) -> None:
    code = "import os; os.mkdir('/out/d'); open('/out/d/f', 'w').write('1')\n"
    code += "os.chmod('/out/d/f', 0); os.chmod('/out/d', 0); os.chmod('/out', 0)"
    assert do(code, take=("d/f",)).outputs["d/f"].size == 1


def test_a_result_above_the_ceiling_is_refused_or_cut_where_it_is_written(do: Do) -> None:
    done = do("", program=("-c", "open(__import__('sys').argv[1] + '/big', 'wb').write(b'x' * (3 << 20))", "{out}"),
              out_mib=2, take=("big",))  # fmt: skip
    assert done.problem in ("exit", "disk") and done.outputs["big"].size <= 2 << 20


def test_names_that_nobody_asked_for_are_few_and_plain(do: Do) -> None:
    code = (
        "import sys\nfor n in range(300): open(f'{sys.argv[1]}/{n}', 'w')\nopen(sys.argv[1].encode() + b'/\\xff', 'w')"
    )
    done = do("", program=("-I", "-c", code, "{out}"), take=("a",))
    assert len(done.others) == 50 and all(name.isprintable() for name in done.others)


def test_the_environment_says_nothing_of_ours(do: Do, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADER_TOKEN", "canary")
    done = do("import os; print(dict(os.environ)); print(os.getcwd())")
    told = done.stdout.decode().replace("'GRADER_WORKROOM': '1'", "")  # so that a notebook starts no grader in there
    assert "canary" not in told and "grader" not in told.lower()


def test_rooms_of_two_jobs_are_two(do: Do) -> None:
    do("open('left', 'w').write('x'); open('/tmp/left-by-a-test', 'w').write('x')", take=("a",))
    assert do("import os; print(os.path.exists('left'))", take=("a",)).stdout == b"False\n"
    Path("/tmp/left-by-a-test").unlink(missing_ok=True)


@contained
class TestTheBoundary:
    """What only a container holds."""

    def test_what_is_read_only_stays_so_and_the_root_too(self, do: Do) -> None:
        code = """
for path in ('/data/y', '/data/x.csv', '/lab/y', '/lab/deep/er/s.py', '/y', '/usr/y', '/work/y', '/out/y', '/tmp/y'):
    try:
        open(path, 'a').close()
        print(path)
    except OSError:
        pass
"""
        assert do(code, take=("a",)).stdout.split() == [b"/work/y", b"/out/y", b"/tmp/y"]

    def test_the_first_process_cannot_be_read_traced_or_stopped(self, do: Do) -> None:
        code = """
import os
import signal
import subprocess
import sys
for name in ('environ', 'fd/0', 'fd/1', 'mem', 'maps'):
    try:
        open(f'/proc/1/{name}', 'rb').read(1)
        print(name)
    except OSError:
        pass
for number in (2, 9, 15, 19):
    os.kill(1, number)
print('still here')
"""
        assert do(code, take=("a",)).stdout == b"still here\n"

    def test_there_is_no_network(self, do: Do) -> None:
        done = do("import os; print(sorted(os.listdir('/sys/class/net')))")
        assert done.stdout == b"['lo']\n"

    def test_there_are_no_rights(self, do: Do) -> None:
        done = do("print([row for row in open('/proc/self/status') if row[:3] in ('Uid', 'Cap', 'NoN', 'Sec')])")
        rows = dict(row.split(":\\t") for row in done.stdout.decode().strip("[]\n").replace("'", "").split(", "))
        rows = {name: value.replace("\\n", "").replace("\\t", " ") for name, value in rows.items()}
        assert rows["Uid"] == "65534 65534 65534 65534"
        assert {rows[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
        assert (rows["NoNewPrivs"], rows["Seccomp"]) == ("1", "2")

    def test_files_are_counted(self, do: Do) -> None:
        done = do("for n in range(200): open(f'/out/{n}', 'w')", out_files=100, take=("a",))
        assert done.problem == "disk"

    def test_a_full_folder_is_called_one(self, do: Do) -> None:
        done = do("open('/out/a', 'wb').write(b'x' * (9 << 20))", out_mib=2, take=("a",))
        assert done.problem == "disk"

    def test_forks_are_capped(self, do: Do) -> None:
        code = "import os, time\nfor n in range(300):\n  if os.fork() == 0:\n    time.sleep(30)\n    os._exit(0)"
        done = do(code, pids=40)
        assert done.problem == "exit" and "BlockingIOError" in done.log


@pytest.mark.engine
def test_sandboxes_made_ahead_serve_one_job_each_and_leave_nothing(tmp_path: Path) -> None:
    engine = connect()
    base = images.ensure_base(engine, CACHE, lambda message: None)
    with Ledger(tmp_path / "active", "ahead") as ledger, Owned(engine, ledger) as owned:
        with ContainerRoom(owned, base.id, ahead=2, warm=("json",)) as room:
            assert room.wait_ready(60)
            ready = [made.box.id for made in room._ready]
            files = {"lab": {"s.py": b"import os, sys; print('json' in sys.modules, os.getpid() != 1, sys.argv[1])"}}
            job = Job(("-I", "{lab}/s.py", "x"), files, 20, take=("a",))
            first, second = room.do(job, tmp_path / "1"), room.do(job, tmp_path / "2")
            assert first.stdout == second.stdout == b"True True x\n"
            assert not {made.box.id for made in room._ready} & set(ready), "a sandbox is not used twice"
        assert not (tmp_path / "active" / "ahead" / "resources.jsonl").read_bytes().count(b'"x"')
    assert not (tmp_path / "active" / "ahead").exists(), "every container and volume is removed"
    engine.close()


DIE_WHILE_WORKING = """
import sys
from pathlib import Path
from grader.workrooms import Job
from grader.workrooms.local import LocalRoom
folder = Path(sys.argv[1])
code = "import os; os.fork() or os.setsid(); os.execvp('sleep', ['sleep', sys.argv[1]])"
LocalRoom(folder, folder).do(Job(("-I", "-c", "import sys\\n" + code, sys.argv[2]), {}, 60), folder / "kept")
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["kill -9", "Ctrl-C"])
def test_a_grader_that_dies_takes_what_it_runs_locally_with_it(tmp_path: Path, number: int) -> None:
    mark = f"4343.{os.getpid()}{int(number)}"
    grader = subprocess.Popen([sys.executable, "-c", DIE_WHILE_WORKING, str(tmp_path), mark], stderr=subprocess.DEVNULL)
    assert _soon(lambda: len(_sleepers(mark)) == 2)
    grader.send_signal(number)
    assert grader.wait(20) != 0
    assert _soon(lambda: not _sleepers(mark))


def _sleepers(mark: str) -> list[str]:
    return [pid for pid in os.listdir("/proc") if pid.isdigit() and _command(pid) == f"sleep\0{mark}\0".encode()]


def _soon(true: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while not true() and time.monotonic() < deadline:
        time.sleep(0.05)
    return true()

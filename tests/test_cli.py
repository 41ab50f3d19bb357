"""A command line that answers a slip with a traceback, a wrong exit code, or the loss of somebody's work."""

from __future__ import annotations

import errno
import gc
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

from grader import cli
from grader.cli.guard import stoppable
from grader.cli.session import asked_lang
from grader.errors import GraderError

ROOT = Path(__file__).resolve().parents[1]
TINY = ROOT / "tests" / "fixtures" / "labs" / "90-tiny"
START = [sys.executable, "-c", "from grader.cli import main; main()"]
HEAVY = ("pydantic", "rich", "docker", "numpy", "jinja2", "requests")
NO_ENGINE = "unix:///nonexistent"

Ask = Callable[..., tuple[int, str, str]]

# docker-py forgets the socket that could not connect.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A checkout with one lab, no engine, and nothing of this machine's settings."""
    home = tmp_path / "home"
    shutil.copytree(TINY, home / "labs" / "90-tiny", ignore=shutil.ignore_patterns("__pycache__"))
    starter = home / "labs" / "90-tiny" / "starter"
    (starter / "app").mkdir(parents=True)
    (starter / "Dockerfile").write_text("FROM python:3.11-slim\n")
    (starter / "app" / "main.py").write_text("print('starter')\n")
    (home / "pyproject.toml").write_text("")
    broken = home / "labs" / "91-broken"
    broken.mkdir()
    (broken / "lab.toml").write_text('id = "91-broken"\nkind =\n')
    for name in ("GRADER_HOME", "GRADER_RUNS", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_HOST", NO_ENGINE)
    monkeypatch.chdir(home)
    yield home
    gc.collect()  # sockets that were forgotten here are not another test's trouble


@pytest.fixture
def submission(home: Path) -> Path:
    folder = home.parent / "submission"
    folder.mkdir()
    (folder / "Dockerfile").write_text('FROM python:3.11-slim\nCMD ["python"]\n')
    return folder


@pytest.fixture
def stopped() -> Iterator[str]:
    """A socket that nobody listens on: an engine that was there. In /tmp, since a socket's path must be short."""
    path = Path(f"/tmp/grader-test-{os.getpid()}.sock")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
    yield f"unix://{path}"
    path.unlink()


@pytest.fixture
def ask(capfd: pytest.CaptureFixture[str]) -> Ask:
    """(exit code, standard output, standard error) of a command line, run in this process."""

    def ask(*arguments: str | Path) -> tuple[int, str, str]:
        status = cli.invoke([str(argument) for argument in arguments], os.environ)
        out, err = capfd.readouterr()
        return status, out, err

    return ask


# --- bad input --------------------------------------------------------------------------------------

BAD = {
    "unknown command": (["rn"], 2, "“rn”", "run"),
    "unknown subcommand": (["runs", "lst"], 2, "“lst”", "list"),
    "unknown option": (["run", "90", "--sed", "3"], 2, "--sed", "--seed"),
    "no lab": (["run"], 2, "LAB", "grader run --help"),
    "too many": (["doctor", "x"], 2, "(x)", "grader doctor --help"),
    "unknown format": (["run", "90", "--format", "xml"], 2, "--format", "json"),
    "negative seed": (["run", "90", "--seed", "-1"], 2, "--seed", "grader run --help"),
    "no number": (["runs", "prune", "--keep", "all"], 2, "--keep", "grader runs prune --help"),
    "no keep": (["runs", "prune"], 2, "--keep", "grader runs prune --help"),
    "unknown lab": (["run", "tinny"], 2, "“tinny”", "90-tiny"),
    "unknown lab to start": (["start", "tinny"], 2, "“tinny”", "90-tiny"),
    "broken lab": (["run", "91"], 2, "lab.toml", "91-broken"),
    "broken lab linted": (["lab", "lint", "91"], 2, "lab.toml", "91-broken"),
    "no such submission": (["run", "90", "nowhere"], 2, "nowhere", ""),
    "a NUL in a path": (["run", "90", "a\0b"], 2, "a\\u{0}b", ""),
    "no work yet": (["run", "90"], 2, "work/90-tiny", "grader start 90-tiny"),
    "unknown item": (["run", "90", ".", "--only", "bild"], 2, "“bild”", "build"),
    "no engine": (["run", "90", ".", "--engine", "docker"], 4, "DOCKER_HOST", "apt-get install -y docker.io"),
    "no engine for images": (["images", "list"], 4, "DOCKER_HOST", "apt-get install -y docker.io"),
    "no engine for a proof": (["lab", "test", "90"], 4, "DOCKER_HOST", "apt-get install -y docker.io"),
    "unknown run": (["show", "2020"], 2, "“2020”", "grader runs list"),
    "unknown run to regrade": (["regrade", "2020"], 2, "“2020”", "grader runs list"),
    "no runs": (["show"], 2, "runs", "grader run "),
    "no runs to list": (["runs", "list"], 2, "runs", "grader run "),
}  # fmt: skip


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("name", BAD)
def test_a_slip_is_answered_in_one_sentence_of_the_reader_s_language(
    name: str, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments, wanted, where, what_next = BAD[name]
    said = {}
    for lang in ("en", "fr"):
        monkeypatch.setenv("LANG", {"en": "en_GB.UTF-8", "fr": "fr_FR.UTF-8"}[lang])
        status, out, err = ask(*arguments)
        assert status == wanted
        assert out == "", "an error belongs on standard error"
        assert_words(err)
        assert where in err.replace("« ", "“").replace(" »", "”")
        assert what_next in err
        said[lang] = err
    assert said["en"] != said["fr"]


def assert_words(err: str) -> None:
    """One sentence or two, whole, on one line, with nothing of our insides."""
    assert err.count("\n") == 1
    assert len(err) > 20
    assert "Traceback" not in err
    assert "\x1b" not in err, "colours belong on a terminal"
    assert not re.search(r"\{[a-z_]+\}", err), "a fact is missing from the sentence"


def test_an_engine_that_does_not_answer_is_told_from_one_that_is_absent(
    home: Path, ask: Ask, stopped: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", stopped)
    status, out, err = ask("run", "90", ".", "--engine", "docker")
    assert (status, out) == (4, "")
    assert_words(err)
    assert "systemctl start docker" in err
    assert not (home / "runs").exists(), "a run that never began"


def test_a_submission_that_may_not_be_read_says_so(
    home: Path, ask: Ask, submission: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: str(path) != str(submission))  # root may read everything
    status, _, err = ask("run", "90", submission)
    assert status == 2
    assert_words(err)
    assert str(submission) in err


def test_outside_a_checkout_it_says_where_to_go(
    home: Path, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert ask("lab", "list")[0] == 2
    status, _, err = ask("lab", "list", "--lang", "fr")
    assert (status, "GRADER_HOME" in err) == (2, True)
    assert_words(err)
    monkeypatch.setenv("GRADER_HOME", str(tmp_path))
    assert ask("lab", "list")[0] == 2
    monkeypatch.setenv("GRADER_HOME", str(home))
    status, out, _ = ask("lab", "list")
    assert (status, "90-tiny" in out) == (0, True)


def test_a_folder_deleted_under_our_feet_is_no_traceback(
    home: Path, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    status, _, err = ask("lab", "list")
    os.chdir(home)
    assert status == 2
    assert_words(err)


def test_what_the_user_typed_cannot_colour_or_clear_the_terminal(home: Path, ask: Ask) -> None:
    status, _, err = ask("run", "90", "\x1b[2J\x1b[31mred")
    assert status == 2
    assert_words(err)


def test_a_bug_of_ours_is_a_sentence_and_a_log(home: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    def boom(argument: str, root: Path) -> Path:
        raise ZeroDivisionError("inside")

    monkeypatch.setattr("grader.lab.find_lab", boom)
    status, out, err = ask("run", "90", ".")
    assert (status, out) == (4, "")
    assert_words(err)
    logs = list((home / "runs" / "errors").iterdir())
    assert str(logs[0]) in err
    assert "ZeroDivisionError: inside" in logs[0].read_text()


@pytest.mark.parametrize("trouble", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_no_bug(home: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch, trouble: int) -> None:
    def full(argument: str, root: Path) -> Path:
        raise OSError(trouble, os.strerror(trouble), "/some/file")

    monkeypatch.setattr("grader.lab.find_lab", full)
    status, _, err = ask("run", "90", ".")
    assert status == 4
    assert_words(err)
    assert "/some/file" in err
    assert "runs prune" in err


def test_the_language_is_asked_for_or_the_environment_s() -> None:
    assert asked_lang(["run", "--lang", "fr"], {"LANG": "en_GB.UTF-8"}) == "fr"
    assert asked_lang(["run", "--lang=en"], {"LC_ALL": "fr_CA.UTF-8"}) == "en"
    assert asked_lang(["run"], {"LC_ALL": "C", "LANG": "fr_FR.UTF-8"}) == "en"
    assert asked_lang(["run", "--lang", "de"], {"LANG": "fr_FR"}) == "fr"
    assert asked_lang(["--lang"], {}) == "en"


# --- what it does -----------------------------------------------------------------------------------


def test_without_an_engine_the_rest_is_graded_and_the_report_says_what_was_not(
    home: Path, ask: Ask, submission: Path
) -> None:
    status, out, err = ask("run", "90", submission)
    assert (status, err) == (0, "")
    last = out.splitlines()[-1]
    assert "build, nonroot, answers" in last
    assert "apt-get install -y docker.io" in last
    status, out, _ = ask("run", "90", submission, "--engine", "local")
    assert "--engine local" in out.splitlines()[-1]


def test_json_on_standard_output_is_json_and_nothing_else(home: Path, ask: Ask, submission: Path) -> None:
    status, out, _ = ask("run", "90", submission, "--format", "json", "--lang", "fr", "--seed", "7")
    report = json.loads(out)
    assert (status, report["schema"], report["provisional"], report["seed"]) == (0, "grader/report/1", True, 7)
    assert report["submission"]["source"] == str(submission)


def test_a_rejected_submission_exits_3_and_a_failed_one_1(
    home: Path, ask: Ask, submission: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (submission / "Dockerfile").write_text("FROM evil:latest\n")
    status, out, _ = ask("run", "90", submission)
    assert status == 3
    assert "Traceback" not in out
    monkeypatch.setenv("GRADER_HOME", str(ROOT))
    monkeypatch.setenv("GRADER_RUNS", str(home / "runs"))
    empty = home.parent / "empty"
    empty.mkdir()
    status, out, _ = ask("run", "05", empty, "--engine", "local", "--format", "json")
    assert (status, json.loads(out)["score"]) == (1, 0.0)


def test_show_rewords_and_regrade_starts_nothing(home: Path, ask: Ask, submission: Path) -> None:
    first = json.loads(ask("run", "90", submission, "--format", "json")[1])
    status, out, _ = ask("show", "--lang", "fr")
    assert (status, "provisoire" in out) == (0, True)
    assert json.loads(ask("show", "--format", "json")[1]) == first
    assert ask("show", "--format", "html")[1].lstrip().startswith("<!")
    (run,) = (path.name for path in (home / "runs" / "90-tiny").iterdir())
    status, out, _ = ask("regrade", run)
    assert status == 0
    assert re.search(r"0 before, 0 now \(of 20\)", out)
    assert len(ask("runs", "list")[1].splitlines()) == 2


def test_show_passes_over_a_run_that_is_not_finished(home: Path, ask: Ask, submission: Path) -> None:
    ask("run", "90", submission)
    (home / "runs" / "90-tiny" / "99991231T235959000000-abcdef").mkdir()
    assert ask("show")[0] == 0
    assert ask("show", "9999")[0] == 2


def test_a_report_older_than_its_lab_is_shown_in_its_stored_words(home: Path, ask: Ask, submission: Path) -> None:
    ask("run", "90", submission)
    toml = home / "labs" / "90-tiny" / "lab.toml"
    toml.write_text(toml.read_text().replace('id = "answers"', 'id = "replies"'))
    status, out, _ = ask("show")
    assert (status, "answers" in out) == (0, True)


def test_a_run_that_was_never_judged_cannot_be_judged_again(home: Path, ask: Ask, submission: Path) -> None:
    (submission / "Dockerfile").write_text("FROM evil:latest\n")
    ask("run", "90", submission)
    (run,) = (path.name for path in (home / "runs" / "90-tiny").iterdir())
    status, _, err = ask("regrade", run)
    assert status == 2
    assert_words(err)


def test_prune_keeps_the_newest(home: Path, ask: Ask, submission: Path) -> None:
    for _ in range(3):
        ask("run", "90", submission)
    newest = max(path.name for path in (home / "runs" / "90-tiny").iterdir())
    status, out, _ = ask("runs", "prune", "--keep", "1")
    assert (status, "2" in out) == (0, True)
    assert [path.name for path in (home / "runs" / "90-tiny").iterdir()] == [newest]


def test_start_never_overwrites(home: Path, ask: Ask) -> None:
    status, out, _ = ask("start", "90")
    assert (status, "grader run 90" in out) == (0, True)
    mine = home / "work" / "90-tiny" / "app" / "main.py"
    mine.write_text("my own work\n")
    (home / "work" / "90-tiny" / "Dockerfile").unlink()
    status, out, _ = ask("start", "90", "--lang", "fr")
    assert (status, "app/main.py" in out) == (0, True)
    assert mine.read_text() == "my own work\n"
    assert (home / "work" / "90-tiny" / "Dockerfile").is_file()
    assert ask("run", "90")[0] == 0, "the work folder is what is graded then"


def test_start_does_not_write_through_a_link(home: Path, ask: Ask) -> None:
    secret = home / "secret"
    folder = home / "work" / "90-tiny"
    folder.mkdir(parents=True)
    (folder / "Dockerfile").symlink_to(secret)
    ask("start", "90")
    assert not secret.exists()


def test_start_onto_a_file_says_so(home: Path, ask: Ask) -> None:
    (home / "here").write_text("a file")
    (home / "there").mkdir()
    (home / "there" / "app").write_text("a file")
    for folder in ("here", "there"):
        status, _, err = ask("start", "90", folder)
        assert status == 2
        assert_words(err)
    assert (home / "here").read_text() == (home / "there" / "app").read_text() == "a file"


def test_lab_list_shows_what_is_wrong_with_a_lab_and_goes_on(home: Path, ask: Ask) -> None:
    status, out, _ = ask("lab", "list")
    assert status == 0
    assert re.search(r"90-tiny +Tiny +10 min, 20 points", out)
    assert "91-broken" in out


def test_lint_says_what_does_not_fit(home: Path, ask: Ask) -> None:
    assert ask("lab", "lint", "90")[0] == 0
    toml = home / "labs" / "90-tiny" / "lab.toml"
    toml.write_text(toml.read_text().replace("[item.causes.root]", "[item.causes.rot]"))
    status, out, _ = ask("lab", "lint", "90")
    assert (status, "root" in out) == (2, True)


def test_doctor_says_in_words_how_bad_each_thing_is(home: Path, ask: Ask) -> None:
    for lang, levels in (
        ("en", "ok|warning|fails|not tested here"),
        ("fr", "bon|attention|échec|non testé ici"),
    ):
        status, out, _ = ask("doctor", "--lang", lang)
        assert status == 4
        assert all(re.match(rf"({levels}) +\S", line) for line in out.splitlines())
        assert "apt-get install -y docker.io" in out


# --- the process ------------------------------------------------------------------------------------


def start(*arguments: str | bytes, **options: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen([*START, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stop_is_one_line_and_130(home: Path, submission: Path, number: signal.Signals) -> None:
    path = Path(f"/tmp/grader-test-{os.getpid()}-silent.sock")
    with socket.socket(socket.AF_UNIX) as server:  # an engine that takes the call and says nothing
        server.bind(str(path))
        server.listen()
        process = start("run", "90", str(submission), env=os.environ | {"DOCKER_HOST": f"unix://{path}"})
        server.settimeout(30)
        caller, _ = server.accept()
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
        caller.close()
    path.unlink()
    assert (process.returncode, out) == (130, b"")
    assert_words(err.decode())
    assert not list((home / "runs").glob("active/*"))


def test_a_second_ctrl_c_does_not_break_the_cleaning_up() -> None:
    cleaned = False
    with stoppable():
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(5)
        except KeyboardInterrupt:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.05)
            cleaned = True
    assert cleaned
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_reader_that_leaves_is_no_error(home: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([*START, "lab", "list"], stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_terminal_without_our_signs_still_shows_the_mark(home: Path, submission: Path) -> None:
    for encoding in ("ascii", "latin-1"):
        environment = os.environ | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
        process = start("run", "90", str(submission), "--lang", "fr", env=environment)
        out, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (0, b"")
        assert b"20" in out


def test_a_path_that_is_no_text_is_said_all_the_same(home: Path) -> None:
    out, err = (process := start("run", "90", b"caf\xe9")).communicate(timeout=60)
    assert (process.returncode, out) == (2, b"")
    assert_words(err.decode())


def test_help_is_there_at_once() -> None:
    found = subprocess.run(
        [sys.executable, "-c", "import sys, grader.cli; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert not {name.split(".")[0] for name in found.stdout.split()} & set(HEAVY)

    def fastest(command: list[str]) -> float:
        times = []
        for _ in range(7):
            began = time.perf_counter()
            subprocess.run(command, capture_output=True, check=True)
            times.append(time.perf_counter() - began)
        return min(times)

    assert fastest([*START, "--help"]) <= 10 * fastest([sys.executable, "-c", "pass"])


# --- help and documentation -------------------------------------------------------------------------


def test_help_lists_every_exit_code(ask: Ask) -> None:
    status, out, _ = ask("--help")
    listed = {int(code) for code in re.findall(r"^ +(\d+) {2,}\S", out, re.MULTILINE)}
    assert status == 0
    assert listed == {0, 1, 2, 3, 4, 5, 130, 141}
    assert listed >= {kind.exit_code for kind in [GraderError, *GraderError.__subclasses__()]}


def test_version_and_bare_call(ask: Ask) -> None:
    assert ask("--version")[:2] == (0, "grader, version 0.1.0\n")
    status, out, err = ask()
    assert (status, out, "Commands:" in err) == (2, "", True)


def commands(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


COMMANDS = dict(commands(cli.cli, "grader"))


@pytest.mark.parametrize("name", COMMANDS)
def test_the_page_of_the_command_line_knows_every_command_and_option(name: str) -> None:
    page = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    section = re.search(rf"^### `{name}\b[^\n]*\n(.*?)(?=^##)", page, re.MULTILINE | re.DOTALL)
    assert section, f"{name} has no section"
    for param in COMMANDS[name].params:
        names = param.opts if isinstance(param, click.Option) else [param.human_readable_name]
        for option in names:
            assert option in section.group(0), f"{option} of {name} is not explained"
    explained = set(re.findall(r"`(-[-a-z]+)", section.group(1)))
    assert explained <= {option for param in COMMANDS[name].params for option in param.opts}, "an option of the past"


def test_the_page_lists_the_environment_and_the_exit_codes(ask: Ask) -> None:
    page = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    out = ask("--help")[1]
    for code in re.findall(r"^ +(\d+) {2,}\S", out, re.MULTILINE):
        assert f"| {code} |" in page
    for variable in re.findall(r"\b[A-Z]+_?[A-Z]+\b", out.partition("Environment:")[2]):
        assert f"`{variable}`" in page


def test_the_formats_are_those_that_can_be_rendered() -> None:
    from grader.cli.grading import FORMATS
    from grader.render import FORMATS as VIEWS

    assert set(FORMATS) == set(VIEWS)


# --- with an engine ---------------------------------------------------------------------------------


@pytest.fixture
def engine(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This checkout and this machine's engine; results apart. The fixture's value is the folder of the runs."""
    monkeypatch.delenv("DOCKER_HOST")
    monkeypatch.setenv("GRADER_HOME", str(ROOT))
    monkeypatch.setenv("GRADER_RUNS", str(home / "runs"))
    return home / "runs"


@pytest.mark.engine
def test_doctor_finds_a_machine_that_can_grade(engine: Path, ask: Ask) -> None:
    status, out, _ = ask("doctor")
    assert status == 0
    assert "docker" in out.splitlines()[0]
    assert "fails" not in [line.split()[0] for line in out.splitlines()]
    assert "MiB was stopped" in out


@pytest.mark.engine
def test_a_build_that_fails_exits_1_and_leaves_nothing(engine: Path, ask: Ask, submission: Path) -> None:
    (submission / "Dockerfile").write_text("FROM python:3.11-slim\nCOPY nowhere .\n")
    status, out, _ = ask("run", "05", submission, "--format", "json")
    report = json.loads(out)
    assert (status, report["class"], report["provisional"]) == (1, "BUILD_FAIL", False)
    assert report["engine"].startswith("docker ")
    assert not list((engine / "active").iterdir())
    status, _, err = ask("run", "05", submission, "--format", "json")
    assert (status, "--fresh" in err) == (1, True), "the same submission is answered from its first run"


@pytest.mark.engine
def test_ctrl_c_in_the_middle_leaves_no_container(engine: Path) -> None:
    process = start("run", "05", str(ROOT / "solutions" / "05-docker"), "--fresh")
    names = wait_for_containers(engine / "active", process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (130, b"")
    assert_words(err.decode())
    assert not list((engine / "active").iterdir()), "the ledger of a run that left nothing is gone"
    left = subprocess.run(["docker", "ps", "-a", "--format", "{{.Names}}"], capture_output=True, text=True, check=True)
    assert names
    assert not names & set(left.stdout.split())


def wait_for_containers(active: Path, process: subprocess.Popen[bytes]) -> set[str]:
    """The names of the run's containers once it has some."""
    for _ in range(600):
        rows = [json.loads(row) for file in active.glob("*/resources.jsonl") for row in file.read_text().splitlines()]
        names = {row["name"] for row in rows if row["kind"] == "container" and "id" in row}
        if names or process.poll() is not None:
            return names
        time.sleep(0.1)
    return set()

"""Group B: Dockerfiles that reach for what is not theirs, or that never end."""

from __future__ import annotations

from .case import BUILD_SECONDS, STAGING_SECONDS, Case, Expect, Folder, Maker, Setting, rejected
from .pieces import app, dockerfile, junk, lines, reference, worthless


def _refused(honest: int, rule: str, *folders: dict[str, bytes]) -> Case:
    return Case(honest, STAGING_SECONDS, rejected("POLICY", rule), tuple(Folder(each) for each in folders))


def _unapproved_base(setting: Setting) -> Case:
    bad = setting.params["BADBASE"]
    plain = worthless(bad)
    staged = plain["Dockerfile"].replace(f"FROM {bad}\n".encode(), f"FROM {bad} AS x\nFROM x\n".encode())
    return _refused(40, "base", plain, {**plain, "Dockerfile": staged})


def _base_through_arg_default(setting: Setting) -> Case:
    text = lines(
        "ARG B",
        f"FROM ${{B:-{setting.params['BADBASE']}}}",
        "RUN cp /secret.txt /app.txt || true",
        "WORKDIR /app",
        "COPY app.py /app/app.py",
        "EXPOSE 8000",
        'CMD ["python","/app/app.py"]',
    )
    return _refused(40, "base", {"Dockerfile": text, "app.py": junk()})


def _copy_from_a_foreign_image(setting: Setting) -> Case:
    text = dockerfile(setting.params["BASE"], f"COPY --from={setting.params['BADBASE']} /secret.txt /app/s.txt")
    telling = 'self.answer(200, {"status": open("/app/s.txt").read()})'
    return _refused(80, "from", {"Dockerfile": text, "app.py": app(health=telling)})


def _remote_add(setting: Setting) -> Case:
    more = f"ADD {setting.params['CANARY_URL']} /app/s.txt"
    return _refused(100, "add", reference(setting.params["BASE"], more))


def _frontend_directive(setting: Setting) -> Case:
    folder = reference(setting.params["BASE"])
    text = lines("# syntax=canary.invalid/frontend:1") + folder["Dockerfile"]
    return _refused(100, "syntax", {**folder, "Dockerfile": text})


def _fork_bomb_in_run(setting: Setting) -> Case:
    more = 'RUN python -c "import os; [os.fork() for _ in range(10**6)]"'
    classes = ("BUILD_FAIL", "BUILD_LIMIT", "BUILD_TIMEOUT")
    expect = Expect(classes, exact=0, also={"processes_gone_seconds": 10})
    return Case(100, BUILD_SECONDS, expect, (Folder(reference(setting.params["BASE"], more)),))


def _silent_endless_run(setting: Setting) -> Case:
    folder = Folder(reference(setting.params["BASE"], "RUN sleep 100000"))
    return Case(100, BUILD_SECONDS, Expect(("BUILD_TIMEOUT",), exact=0), (folder,))


MAKERS: dict[str, Maker] = {
    "PH07": _unapproved_base,
    "PH08": _base_through_arg_default,
    "PH09": _copy_from_a_foreign_image,
    "PH10": _remote_add,
    "PH11": _frontend_directive,
    "PH12": _fork_bomb_in_run,
    "PH13": _silent_endless_run,
}

"""The frozen values that flow from step to step, and nothing that acts on them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Lang = Literal["en", "fr"]
Visibility = Literal["public", "hidden"]
Outcome = Literal["passed", "partial", "failed", "blocked", "skipped", "error"]
Status = Literal["graded", "rejected", "review", "infra"]
RunClass = Literal[
    "GRADED", "BUILD_FAIL", "BUILD_TIMEOUT", "BUILD_LIMIT", "NOT_READY", "RUN_LIMIT", "RUN_TIMEOUT",
    "PROTOCOL", "NB_ERROR", "NB_TIMEOUT", "NB_LIMIT", "ARTIFACT_REJECT",
    "REJECT_STAGE", "REJECT_POLICY", "UNSUPPORTED", "INFRA",
]  # fmt: skip
Json = Any  # plain JSON data: dict, list, str, int, float, bool, None


class Record(BaseModel):
    """A value that cannot change and that refuses fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


# --- the lab, as its author wrote it -----------------------------------------------------------


class Text(Record):
    """One sentence in both languages."""

    en: str
    fr: str

    def in_(self, lang: Lang) -> str:
        return self.fr if lang == "fr" else self.en


class Hints(Record):
    """Three steps of help, from a nudge to nearly the answer, in both languages."""

    en: tuple[str, str, str]
    fr: tuple[str, str, str]

    def in_(self, lang: Lang) -> tuple[str, str, str]:
        return self.fr if lang == "fr" else self.en


class Cause(Record):
    """Why an item lost points (or carries a remark): a sentence with `{facts}`, and hints."""

    en: str
    fr: str
    hints: Hints | None = None

    def in_(self, lang: Lang) -> str:
        return self.fr if lang == "fr" else self.en


class Item(Record):
    """One line of the rubric."""

    id: str
    points: float = Field(gt=0)
    needs: tuple[str, ...] = ()
    visibility: Visibility = "public"
    title: Text
    causes: dict[str, Cause] = {}
    exercise: str | None = None  # the exercise of the notebook that this item judges
    sections: tuple[str, ...] = ()  # the evidence that its check reads; none named: it may read all of it


class StartSpec(Record):
    """One start of the student's image that the lab asks for, and what is measured on it."""

    probes: tuple[str, ...]
    model: str = "fast"
    pad_mib: int = 0
    init: bool = True
    caps: Literal["none", "default"] = "none"
    tmp_mib: int = 64
    options: dict[str, dict[str, Json]] = {}


class ExecuteSpec(Record):
    """One sandboxed run over a fresh copy of the submission: a notebook, or a command (arguments of `python`)."""

    notebook: str | None = None
    command: tuple[str, ...] = ()
    parameters: dict[str, Json] = {}  # for the notebook's cell tagged `parameters`
    harness: str | None = None  # folder below harness/ or private/harness/, seen read-only at {lab}
    given: str | None = None  # maker of files for {data}
    data: tuple[str, ...] = ()  # files of the lab's data/ or of labs/common, seen in {data}
    take: tuple[str, ...] = ()  # files of {out} that are kept
    seconds: float = Field(120, gt=0, le=900)
    cell_seconds: float = Field(60, gt=0, le=900)
    memory_mib: int = Field(2048, gt=0, le=8192)


class ModelRun(Record):
    """One way in which an artifact is run: which inputs, in which batches, and against which model it is timed."""

    feed: str
    batches: tuple[int, ...] = (1,)
    pair: str | None = None
    rounds: int = Field(7, gt=0, le=100)
    with_: Literal["ort", "reference"] = Field("ort", alias="with")  # what runs an ONNX file
    seconds: float = Field(60, gt=0, le=600)


class ArtifactSpec(Record):
    """One file that is looked at without being loaded and, where it is clean, run as its `runs` say."""

    file: str
    from_: str | None = Field(None, alias="from")  # the execution that made it; None: it was handed in
    format: Literal["onnx", "safetensors", "json", "skops", "text", "any"]
    domains: tuple[str, ...] = ()  # of nodes, beside those of ONNX itself
    runs: dict[str, ModelRun] = {}


class Collect(Record):
    """What is read from the submitted files themselves."""

    texts: tuple[str, ...] = ()
    decoys: tuple[str, ...] = ()


class Service(Record):
    """The contract that the student's server keeps; with `exposed`, on the port of PORT or one that it exposes."""

    port: int = 8000
    health: str = "/health"
    predict: str = "/predict"
    exposed: bool = False


class Limits(Record):
    """Ceilings of one run: seconds, MiB, counts. Reasons in docs/explanation/security.md."""

    build_seconds: float = 120
    build_memory_mib: int = 1024
    build_output_mib: int = 16
    build_disk_mib: int = 2048
    image_mib: int = 1024
    ready_seconds: float = 20
    request_seconds: float = 5
    phase_seconds: float = 60
    stop_seconds: float = 10
    run_memory_mib: int = 512
    pids: int = 256
    tmp_mib: int = 64


class Lab(Record):
    """A lab folder, read and linted."""

    id: str
    kind: Literal["image", "service", "notebook", "package", "web"]
    minutes: int
    title: Text
    items: tuple[Item, ...]
    data: tuple[str, ...] = ()  # files of labs/common that a student finds in data/, beside the lab's own
    collect: Collect = Collect()
    service: Service = Service()
    starts: dict[str, StartSpec] = {}
    executions: dict[str, ExecuteSpec] = {}
    artifacts: dict[str, ArtifactSpec] = {}
    rebuild: bool = False
    limits: Limits = Limits()
    root: str
    digest: str

    @property
    def max_score(self) -> float:
        return sum(item.points for item in self.items)

    def item(self, item_id: str) -> Item:
        return next(item for item in self.items if item.id == item_id)


# --- one submission, step by step --------------------------------------------------------------


class Submission(Record):
    """What was handed in: a folder or an archive, not looked at yet."""

    source: str


class StagedFile(Record):
    path: str
    size: int
    sha256: str
    executable: bool = False


class Staged(Record):
    """A trusted copy of the submission: regular files and folders only, all caps kept."""

    source: str
    root: str
    digest: str
    files: tuple[StagedFile, ...]


class Stage(Record):
    """One `FROM` of the student's Dockerfile after its arguments are resolved."""

    line: int
    base: str
    name: str | None = None
    earlier: bool = False


class Instruction(Record):
    line: int
    keyword: str
    text: str


class DockerfileFacts(Record):
    """What a check may want to know about the Dockerfile as the student wrote it."""

    path: str
    stages: tuple[Stage, ...]
    instructions: tuple[Instruction, ...]


class Build(Record):
    """What the engine will build: our canonical Dockerfile over the kept files of the submission."""

    dockerfile: str
    lines: tuple[int, ...]  # the student's line of each canonical instruction, in order
    context: tuple[str, ...]  # staged paths that are sent
    extra: dict[str, str] = {}  # files we add to the context (lowered heredocs): path -> text
    base: str  # image id of the course base
    base_asked: str  # what the student wrote
    no_cache: bool = False


class Request(Record):
    """One request that a lab's `inputs.py` asks to be sent to the student's server."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "POST"
    path: str = Field("/predict", pattern=r"^/[!-~]{0,1000}$")
    body: str | None = None


class Start(Record):
    """One container of the image: how it is started and what is measured on it."""

    name: str
    spec: StartSpec
    exposed: tuple[int, ...] = ()  # ports to try where nothing answers on PORT
    volumes: tuple[str, ...] = ()  # folders that the Dockerfile declares as volumes
    requests: dict[str, tuple[Request, ...]] = {}  # for the probe `exchanges`, by the name of what asked for them


class Plan(Record):
    """All that `running` will do, decided before anything runs."""

    lab: str
    problem: str | None = None  # why nothing can be built: "no_dockerfile"
    dockerfile: DockerfileFacts | None = None
    build: Build | None = None
    starts: tuple[Start, ...] = ()
    executions: tuple[str, ...] = ()  # names in the lab, in the order in which they run
    artifacts: tuple[str, ...] = ()
    rebuild: str | None = None  # the staged source file that is touched before the second build
    kept_decoys: tuple[str, ...] = ()  # decoys that the student's ignore file would have sent
    limits: Limits
    seed: int
    digest: str


class Span(Record):
    """A named stretch of the run, in seconds since it began."""

    name: str
    start: float
    end: float


class Evidence(Record):
    """All that was measured: section -> probe -> plain data. Shapes in docs/reference/evidence.md."""

    lab: str
    run_class: RunClass = "GRADED"
    sections: dict[str, dict[str, Json]] = {}
    engine: str | None = None
    seed: int
    base: str | None = None
    timeline: tuple[Span, ...] = ()

    def __getitem__(self, section: str) -> Section:
        return Section(section, self.sections.get(section, {}))


class Unmeasured(Exception):
    """A check asked for something that no probe gathered; `judging` decides what that means."""

    def __init__(self, section: str, probe: str) -> None:
        super().__init__(f"{section}.{probe}")
        self.section = section
        self.probe = probe


class Section:
    """A read-only view of one section; a missing probe raises `Unmeasured`."""

    def __init__(self, name: str, data: dict[str, Json]) -> None:
        self._name = name
        self._data = data

    def __getitem__(self, probe: str) -> Json:
        if probe not in self._data:
            raise Unmeasured(self._name, probe)
        return self._data[probe]

    def __contains__(self, probe: str) -> bool:
        return probe in self._data


class Verdict(Record):
    """What a check decided: cause and facts, no sentence."""

    item: str
    outcome: Outcome
    share: float = Field(ge=0, le=1)
    cause: str | None = None
    facts: dict[str, Json] = {}


# --- the report ---------------------------------------------------------------------------------


class ReportSubmission(Record):
    source: str
    digest: str | None = None


class Rejection(Record):
    rule: str
    message: str = ""
    facts: dict[str, Json] = {}


class ReportItem(Record):
    id: str
    outcome: Outcome
    points: float
    max_points: float
    visibility: Visibility
    cause: str | None = None
    facts: dict[str, Json] = {}
    message: str = ""
    hints: tuple[str, ...] = ()


class Digests(Record):
    lab: str
    evidence: str | None = None
    base: str | None = None


class Report(Record):
    """The result in the shape of schema `grader/report/1`; `message` and `hints` follow the language."""

    schema_: Literal["grader/report/1"] = Field("grader/report/1", alias="schema")
    lab: str
    submission: ReportSubmission
    status: Status
    run_class: RunClass = Field(alias="class")
    score: float | None
    max_score: float
    provisional: bool = False
    rejection: Rejection | None = None
    items: tuple[ReportItem, ...] = ()
    digests: Digests
    grader: str
    engine: str | None = None
    seed: int
    seconds: dict[str, float] = {}

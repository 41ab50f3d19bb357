"""Runs one notebook by papermill and leaves its executed copy; how it ended is the exit code.

Nothing that it prints or writes is evidence by itself: a student's code shares its user and may change all of it.
Its one argument is JSON: notebook, executed, parameters, cell_seconds, output_bytes.
"""

import ast
import json
import os
import re
import runpy
import sys
import time
from typing import Any, NoReturn

HERE = os.path.dirname(os.path.abspath(sys.argv[0]))
lean = runpy.run_path(os.path.join(HERE, "lean.py"))

import papermill  # noqa: E402
from jupyter_client.provisioning import local_provisioner  # noqa: E402
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError  # noqa: E402
from papermill.clientwrap import PapermillNotebookClient  # noqa: E402
from papermill.engines import NBClientEngine, papermill_engines  # noqa: E402
from papermill.exceptions import PapermillExecutionError  # noqa: E402

CELL_ERROR, CELL_TIMEOUT, TOO_MUCH_OUTPUT, DEAD_KERNEL, NO_START = 10, 11, 12, 13, 14
PARTING_SECONDS = 5  # for what the cells left to be done at the end; jupyter_client's own patience
START_SECONDS, STARTS = 60, 3  # a kernel takes ports that another may have taken a moment before
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
LAST_LINES = 60
METER = "--IPKernelApp.exec_lines=__import__('runpy').run_path({path!r})['meter']({most})"


class Client(PapermillNotebookClient):  # type: ignore[misc]  # papermill has no types
    """Counts what the cells print, and leaves at once where waiting is of no use."""

    began = False
    stopped = False
    output_bytes = 0
    most_bytes = 0
    meter = ""

    def set_widgets_metadata(self) -> None:
        """The last that is done while the kernel runs: then it is let end in peace.

        jupyter_client would interrupt it while it ends, and a few of those hang until they are killed.
        """
        super().set_widgets_metadata()
        self.kc.shutdown()
        kernel, give_up = self.km.provisioner.process, time.monotonic() + PARTING_SECONDS
        while kernel.poll() is None and time.monotonic() < give_up:
            time.sleep(0.01)

    def execute_cell(self, cell: Any, cell_index: int, **options: Any) -> Any:
        """Run a cell; an error that its tags do not announce ends the notebook."""
        Client.began = True
        try:
            return super().execute_cell(cell, cell_index, **options)
        except CellExecutionError:
            Client.stopped = True
            raise
        except CellTimeoutError:
            self.leave(CELL_TIMEOUT, cell, f"cell {cell_index + 1} did not end in {self.timeout} seconds")
        except DeadKernelError:
            if getattr(getattr(self.km.provisioner, "process", None), "returncode", None) == TOO_MUCH_OUTPUT:
                self.leave(TOO_MUCH_OUTPUT, cell, f"cell {cell_index + 1} printed more than {Client.most_bytes} bytes")
            self.leave(DEAD_KERNEL, cell, f"the kernel died in cell {cell_index + 1}")

    def process_message(self, msg: Any, cell: Any, cell_index: int) -> Any:
        """Take a message of the kernel, up to the ceiling of all of them together."""
        Client.output_bytes += weight(msg["content"])
        if Client.output_bytes > Client.most_bytes:
            cell["outputs"] = []
            self.leave(TOO_MUCH_OUTPUT, cell, f"the outputs passed {Client.most_bytes} bytes in cell {cell_index + 1}")
        return super().process_message(msg, cell, cell_index)

    def leave(self, code: int, cell: Any, why: str) -> NoReturn:
        """Keep what there is and end; the sandbox takes care of the kernel."""
        cell["metadata"].setdefault("papermill", {}).update(exception=True, status="failed")
        self.nb_man.save()
        print(why, file=sys.stderr, flush=True)
        os._exit(code)


class Engine(NBClientEngine):  # type: ignore[misc]
    """papermill's own engine with our client, and more than one try at starting a kernel."""

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **options: Any) -> Any:
        for _ in range(STARTS):
            try:
                return cls.client(nb_man, kernel_name, options["execution_timeout"]).execute()
            except Exception as error:
                if Client.began:
                    raise
                print(f"the kernel did not start: {error}", file=sys.stderr, flush=True)
        os._exit(NO_START)

    @classmethod
    def client(cls, nb_man: Any, kernel_name: str, seconds: float) -> Client:
        return Client(
            nb_man,
            kernel_name=kernel_name,
            timeout=seconds,
            startup_timeout=START_SECONDS,
            extra_arguments=[METER.format(path=Client.meter, most=Client.most_bytes), "--IPKernelApp.log_level=ERROR"],
        )


def main() -> None:
    """Exit 0 when every cell ran, untagged errors none."""
    asked = json.loads(sys.argv[1])
    Client.most_bytes = asked["output_bytes"]
    Client.meter = os.path.join(HERE, "meter.py")
    if sys.platform == "linux":  # elsewhere libraries of the system do not survive a fork
        forked = runpy.run_path(os.path.join(HERE, "forked.py"))["Forked"]
        forked.restore_imports = staticmethod(lean["restore"])
        local_provisioner.launch_kernel = forked  # type: ignore[attr-defined]
    papermill_engines.register("sandboxed", Engine)
    try:
        papermill.execute_notebook(
            asked["notebook"],
            asked["executed"],
            parameters=taken(asked["notebook"], asked["parameters"]),
            engine_name="sandboxed",
            kernel_name="python3",
            language="python",
            progress_bar=False,
            execution_timeout=asked["cell_seconds"],
            cwd=os.path.dirname(asked["notebook"]),
        )
    except PapermillExecutionError as error:
        if Client.stopped:  # else it is the error that a tag announced: papermill reports that too
            lines = COLOURS.sub("", "\n".join(error.traceback)).splitlines()[-LAST_LINES:]
            print("\n".join(lines) or f"{error.ename}: {error.evalue}", file=sys.stderr, flush=True)
            os._exit(CELL_ERROR)
    os._exit(0)


def taken(path: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """The parameters that the notebook's cell tagged `parameters` sets; none where there is no such cell."""
    with open(path, encoding="utf-8") as file:
        cells = json.load(file)["cells"]
    source = next((cell["source"] for cell in cells if "parameters" in cell["metadata"].get("tags", ())), "")
    try:
        tree = ast.parse(source if isinstance(source, str) else "".join(source))
    except (SyntaxError, ValueError):
        return {}
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return {name: value for name, value in parameters.items() if name in names}


def weight(content: Any) -> int:
    """About how many bytes a message adds to the notebook."""
    if isinstance(content, str):
        return len(content)
    if isinstance(content, dict):
        return sum(weight(value) + 8 for value in content.values())
    if isinstance(content, list):
        return sum(weight(value) + 2 for value in content)
    return 8


if __name__ == "__main__":
    main()

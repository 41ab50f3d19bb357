"""What can be measured: `PROBES` names every probe that a lab may ask of a start."""

from __future__ import annotations

from grader.probes import exchanges, service
from grader.probes.box import Probe

PROBES: dict[str, Probe] = {
    "answers": service.answers,
    "exchanges": exchanges.exchanges,
    "processes": service.processes,
    "model_loads": service.model_loads,
    "latency": service.latency,
    "stop": service.stop,
}

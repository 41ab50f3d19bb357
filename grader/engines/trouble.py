"""What the engine or the way to it does wrong, as the one error that everybody above knows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from grader.errors import InfraError


@contextmanager
def engine_errors(doing: str) -> Iterator[None]:
    """Turn every failure of the engine or of the way to it into an `InfraError`."""
    import requests
    from docker.errors import DockerException

    try:
        yield
    except DockerException as error:
        raise InfraError(
            "engine_refused", doing=doing, answer=str(getattr(error, "explanation", None) or error)[:500]
        ) from error
    except (requests.RequestException, OSError) as error:
        raise InfraError("engine_gone", doing=doing) from error

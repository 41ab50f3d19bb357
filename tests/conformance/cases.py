"""What the suite starts and builds, in words that every engine understands."""

from __future__ import annotations

FAILS = ("sh", "-c", "echo out; echo err >&2; exit 3")
RUNS = ("sleep", "60")
EATS_MEMORY = ("python", "-c", "b'x' * (300 * 1024 * 1024)")
FEEDS_A_CHILD = ("sh", "-c", "python -c \"b'x' * (300 * 1024 * 1024)\"; exec sleep 60")
TALKS = ("sh", "-c", "yes | head -c 300000; echo; echo end")
ENDS_POLITELY = ("sh", "-c", "trap 'exit 7' TERM; while :; do sleep 0.05; done")
BUSY = ("sh", "-c", "while :; do :; done")
MISSING = ("no-such-program",)
UID = 12345

FILES = {"a.txt": b"hello", "empty": b""}
# Instructions that change nothing make no layer, empty files make one without a size, and equal ones may share one.
LAYERS = """ENV A=b
RUN true
WORKDIR /srv
COPY a.txt /srv/d/a.txt
COPY empty /srv/empty
COPY a.txt /srv/twice.txt
COPY a.txt /srv/twice.txt
RUN ln /srv/d/a.txt /srv/hard && ln -s hard /srv/soft && mkdir /srv/site-packages && echo x > /srv/site-packages/x
RUN rm -r /srv/d
RUN true
USER 1000:1000
EXPOSE 8000/tcp
CMD ["python", "-V"]
"""
OWN_LAYERS = ("COPY|a.txt", "COPY|empty", "COPY|twice.txt", "COPY|twice.txt", "ln /srv/d/a.txt", "rm -r /srv/d")
OWN_FILES = {
    (0, "srv/d/a.txt", 5), (1, "srv/empty", 0), (2, "srv/twice.txt", 5), (3, "srv/twice.txt", 5),
    (4, "srv/d/a.txt", 5), (4, "srv/hard", 5),
}  # fmt: skip

FAILING = "RUN true\nRUN echo so far so good; exit 3\nRUN true\n"
BROKEN = "RNU true\n"
SLOW = "RUN sleep 30\n"
FLOOD = "RUN yes | head -c 5000000\n"
HUNGRY = "RUN python -c \"b'x' * (300 * 1024 * 1024)\"\n"
BULKY = "RUN head -c 200000000 /dev/zero > /big; sleep 20\n"
# Instructions, limits, and how the build ends: problem, step.
BUILDS: dict[str, tuple[str, dict[str, float], str, int | None]] = {
    "failing": (FAILING, {}, "failed", 4),
    "refused": (BROKEN, {}, "refused", None),
    "slow": (SLOW, {"build_seconds": 1}, "timeout", 3),
    "flooding": (FLOOD, {"build_output_mib": 1}, "output", 3),
    "hungry": (HUNGRY, {"build_memory_mib": 64}, "memory", 3),
    "bulky": (BULKY, {"build_disk_mib": 100}, "disk", 3),
}

"""Where programs of students and of ours run once, over files, and are thrown away: `Job` in, `Done` out."""

from grader.workrooms.base import Done, Job, Output, Workroom

__all__ = ["Done", "Job", "Output", "Workroom"]

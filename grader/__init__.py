"""The MLOps workbench's grader. Its public vocabulary, for check authors, is `grader.checks`."""

__version__ = "0.1.0"

"""The check of the door's lab."""

from grader.checks import Evidence, Fail, check


@check("rule")
def rule(evidence: Evidence) -> None:
    if "rule.json" not in {file["path"] for file in evidence["submission"]["files"]}:
        raise Fail("missing")

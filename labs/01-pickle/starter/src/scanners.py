"""Three public scanners, asked for one word each: "safe", "unsafe", or why they give up. None of them loads the file."""

import logging


def ask_all(file):
    """Scanner -> what it says of the file."""
    logging.disable(logging.CRITICAL)  # their own log would bury the answers
    try:
        return {name: _answer(ask, str(file)) for name, ask in ASKED.items()}
    finally:
        logging.disable(logging.NOTSET)


def _picklescan(file):
    from picklescan.scanner import scan_file_path

    found = scan_file_path(file)
    return "gives up" if found.scan_err else "unsafe" if found.issues_count else "safe"


def _fickling(file):
    import fickling

    return "safe" if fickling.is_likely_safe(file) else "unsafe"


def _modelscan(file):
    from modelscan.modelscan import ModelScan

    found = ModelScan().scan(file)
    return "gives up" if found["errors"] else "unsafe" if found["summary"]["total_issues"] else "safe"


def _answer(ask, file):
    try:
        return ask(file)
    except ImportError:
        return "not installed"
    except Exception:
        return "gives up"


ASKED = {"picklescan": _picklescan, "fickling": _fickling, "modelscan": _modelscan}

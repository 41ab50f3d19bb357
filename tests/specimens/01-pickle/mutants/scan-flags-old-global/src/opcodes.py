"""What a pickle would import, as far as the old opcode tells."""

import pickletools


def names_in(stream):
    """Each (module, name) behind a GLOBAL; what later protocols do instead is not looked at."""
    return [tuple(argument.split(" ", 1)) for opcode, argument, _ in pickletools.genops(stream) if opcode.name == "GLOBAL"]

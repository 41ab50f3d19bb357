"""What a pickle would import, read from its opcodes."""

from stackwalk import steps


def names_in(stream):
    """Each (module, name) that the opcodes in `stream` (bytes) would import; nothing is imported."""
    names = []
    for opcode, argument, stack in steps(stream):
        if opcode in ("GLOBAL", "INST"):  # the name is in the opcode itself
            names.append(tuple(argument.split(" ", 1)))
        elif opcode == "STACK_GLOBAL":  # the name is two texts on the stack
            names.append(tuple(stack[-2:]))
        elif opcode.startswith("EXT"):  # a number that stands for a name
            names.append(("copyreg", str(argument)))
    return names

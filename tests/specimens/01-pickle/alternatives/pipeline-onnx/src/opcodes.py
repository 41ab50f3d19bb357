"""What a pickle would import, read from its opcodes: the unpickler's stack is followed, and nothing is carried out."""

import pickletools

MARK = object()
TEXTS = (pickletools.pyunicode, pickletools.pystring, pickletools.pybytes_or_str)


def names_in(stream):
    """Each (module, name) that the opcodes in `stream` (bytes) would import; nothing is imported."""
    stack, memo, names = [], {}, []
    for opcode, argument, _ in pickletools.genops(stream):
        before, after = opcode.stack_before, opcode.stack_after
        if opcode.name in ("MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT"):
            memo[len(memo) if argument is None else argument] = stack[-1]
            continue
        if opcode.name in ("GLOBAL", "INST"):  # the name is in the opcode itself
            names.append(tuple(argument.split(" ", 1)))
        elif opcode.name == "STACK_GLOBAL":  # the name is two texts on the stack
            names.append(tuple(stack[-2:]))
        elif opcode.name.startswith("EXT"):  # a name behind a number
            names.append(("copyreg", str(argument)))
        taken = len(before)
        if pickletools.markobject in before:
            taken = before.index(pickletools.markobject)
            while stack.pop() is not MARK:
                pass
        del stack[len(stack) - taken :]
        known = memo.get(argument) if "GET" in opcode.name else argument if after[:1] and after[0] in TEXTS else None
        stack += [MARK if kind is pickletools.markobject else known for kind in after]
    return names

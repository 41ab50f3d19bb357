"""The stack of an unpickler, followed without carrying anything out."""

import pickletools

MARK = object()
TEXTS = (pickletools.pyunicode, pickletools.pystring, pickletools.pybytes_or_str)
STORES = ("MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT")


def steps(stream):
    """Each opcode in `stream` (bytes): its name, its argument, and the stack that it finds.

    The stack holds the texts that are known, also those fetched from the memo, and None for everything else.
    """
    stack, memo = [], {}
    for opcode, argument, _ in pickletools.genops(stream):
        yield opcode.name, argument, stack
        before, after = opcode.stack_before, opcode.stack_after
        if opcode.name in STORES:
            memo[len(memo) if argument is None else argument] = stack[-1]
            continue
        taken = len(before)
        if pickletools.markobject in before:  # everything down to the mark
            taken = before.index(pickletools.markobject)
            while stack.pop() is not MARK:
                pass
        del stack[len(stack) - taken :]
        known = memo.get(argument) if "GET" in opcode.name else argument if after[:1] and after[0] in TEXTS else None
        stack += [MARK if kind is pickletools.markobject else known for kind in after]

"""The evaluator: runs one student-made model in a disposable container that holds inputs and no answers.

Its folder is put there as it is and started with `python -I FOLDER`. It needs the standard library, numpy,
onnxruntime and onnx, reads one JSON line on its standard input and writes one on its standard output. The request:

    files    {name: base64}: the model, and what may lie beside it
    model    the name of the file to run; `format` is "onnx" or "safetensors"
    forward  for safetensors: the source of the lab's `forward(tensors, arrays) -> {name: array}`; else null
    feed     {input: {dtype, shape, data}}: rows first, data in base64, or a list where dtype is "string"
    batches  sizes: 1 runs all rows one by one, any other the first so many rows at once
    with     "ort" (the default), or "reference" for onnx's own evaluator
    pair     the name of a second ONNX file, timed against the first in turns, `rounds` rounds; else null
    seconds  wall clock for all of it (optional)

The answer has `problem` (null, "load", "shape", "error", "timeout", "memory", "not_finite", "protocol"), `message`,
`batches` ([{batch, outputs: {name: nested lists}}], or [{batch, mine: [ms], reference: [ms]}] for a pair; those that
were done before the problem), `flags` (what the processor can do) and `threads` (1).

A model has the names that its maker chose: inputs that the feed does not know take what is left of it in order.
"""

"""ONNX exports against onnxruntime, on the inputs that test_export left in the working folder.

Exit status 77 (skipped) without onnxruntime, onnx or safetensors."""
import glob
import os
import sys

try:
    import numpy
    import onnx
    import onnxruntime
    from safetensors.numpy import load_file
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

TOLERANCE = 1e-5


def difference(name):
    onnx.checker.check_model(onnx.load(name + ".onnx"), full_check=True)
    samples = load_file(name + ".safetensors")
    session = onnxruntime.InferenceSession(name + ".onnx", providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]
    assert ("past" in names) == ("past" in samples)
    actions = []
    for i, seen in enumerate(samples["input"]):
        feed = {names[0]: seen[None]}
        if "past" in names:
            feed["past"] = samples["past"][i:i + 1]
        actions.append(session.run(["action"], feed)[0][0])
    return float(numpy.abs(numpy.stack(actions) - samples["action"]).max()), len(actions)


names = sorted(os.path.splitext(path)[0] for path in glob.glob("export_*.onnx"))
bad = len(names) < 7
for name in names:
    largest, count = difference(name)
    print(f"{name}: at most {largest:.2g} on {count} inputs")
    bad |= not largest < TOLERANCE
sys.exit(bad)

#!/usr/bin/python3
"""bench/overhead.py BUILD [--json] [--peer PYTHON]: what a step of a training costs more with the hooks.

Steps that capture weights, biases and gradients alternate with steps that capture nothing, in one process; the overhead
is the difference of the medians. With --peer the same model is trained in the same way under the reference
hook (smdebug; `bench/install-peers FOLDER` makes an interpreter that has it), with its reductions on.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

# (layers, width): two tensors each.
CASES = ((10, 1000), (100, 64))
IDLE = (100, 64, 2000)
STEPS = 60
NOTHING = "losses every=1000000 from=1"  # a line that is never due: the hook attaches and records no value


def make(layers, width):
    import torch

    torch.set_num_threads(2)
    torch.manual_seed(0)
    model = torch.nn.Sequential(*[torch.nn.Linear(width, width) for _ in range(layers)])
    return torch, model, torch.randn(8, width)


def train(torch, model, x, steps):
    """Of each step the seconds, and those of processor time that this thread spends in optimizer.step()."""
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
    seconds, processor = [], []
    for _ in range(steps):
        begin = time.perf_counter()
        optimizer.zero_grad()
        model(x).square().mean().backward()
        begin_of_thread = time.thread_time()
        optimizer.step()
        processor.append(time.thread_time() - begin_of_thread)
        seconds.append(time.perf_counter() - begin)
    return seconds, processor


def alternating(seconds):
    """Milliseconds that an even step takes longer than an odd one; the first ones create things."""
    even, odd = statistics.median(seconds[10::2]), statistics.median(seconds[11::2])
    return (even - odd) * 1e3, odd * 1e3


def worker_steps(layers, width):
    torch, model, x = make(layers, width)
    seconds, processor = train(torch, model, x, STEPS)
    overhead, step = alternating(seconds)
    return {"tensors": len(list(model.parameters())), "params": sum(p.numel() for p in model.parameters()),
            "overhead_ms": overhead, "overhead_cpu_ms": alternating(processor)[0], "step_ms": step}


def worker_peer(layers, width):
    import logging

    logging.disable(logging.CRITICAL)
    import smdebug
    import smdebug.pytorch as smd

    torch, model, x = make(layers, width)
    with tempfile.TemporaryDirectory() as folder:
        hook = smd.Hook(
            out_dir=folder + "/out", save_config=smd.SaveConfig(save_interval=2),
            include_collections=["weights", "biases", "gradients"],
            reduction_config=smd.ReductionConfig(reductions=["min", "max", "mean"], norms=["l1", "l2"]))
        hook.register_module(model)
        overhead, _ = alternating(train(torch, model, x, 30)[0])
        hook.close()
    return {"overhead_ms": overhead, "peer": "smdebug " + smdebug.__version__}


def worker_idle(layers, width, steps):
    """Microseconds of a call of step() outside of what the optimiser itself does, between steps of a training."""
    torch, model, x = make(layers, width)
    inside = [0.0]

    class Timed(torch.optim.SGD):
        def step(self):
            begin = time.perf_counter()
            original(self)
            inside[0] = time.perf_counter() - begin

    original = torch.optim.SGD.step
    original = getattr(original, "__wrapped__", original)
    optimizer = Timed(model.parameters(), lr=1e-4)
    outside = []
    for _ in range(steps):
        optimizer.zero_grad()
        model(x).square().mean().backward()
        begin = time.perf_counter()
        optimizer.step()
        outside.append(time.perf_counter() - begin - inside[0])
    return {"python": statistics.median(outside[100:]) * 1e6}


def run(build, mode, arguments, capture, python="/usr/bin/python3"):
    with tempfile.TemporaryDirectory() as folder:
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("PAWL_", "PYTHON"))}
        if capture is not None:
            environment.update(
                PAWL="1", PAWL_TRACE_DIR=folder, PAWL_CAPTURE=capture, PAWL_OUTPUT_DIR=folder,
                PAWL_CAPTURE_LIB=str(build / "lib/libpawl_capture.so"),
                PYTHONPATH="%s:%s" % (build / "share/pawl/python/site", build / "share/pawl/python"))
        done = subprocess.run([python, __file__, str(build), "--worker", mode, *map(str, arguments)], env=environment,
                              stdout=subprocess.PIPE, text=True, check=True, stderr=None if capture else subprocess.DEVNULL)
        return json.loads(done.stdout.splitlines()[-1])


def measure(build, peer):
    capture = "losses every=1\nweights every=2\nbiases every=2\ngradients every=2"
    cases = []
    for case in CASES:
        entry = run(build, "steps", case, capture)
        entry["peer_overhead_ms"], entry["peer"] = None, None
        if peer:
            found = run(build, "peer", case, None, peer)
            entry["peer_overhead_ms"], entry["peer"] = found["overhead_ms"], found["peer"]
        cases.append(entry)
    with_hook, without = run(build, "idle", IDLE, NOTHING), run(build, "idle", IDLE, None)
    idle = {"python": with_hook["python"] - without["python"]}
    hook = subprocess.run([str(build / "bench/pawl-bench-hook")], env={**os.environ, "PAWL_CAPTURE_LIB": str(
        build / "lib/libpawl_capture.so")}, stdout=subprocess.PIPE, text=True, check=True)
    idle["cpp"] = float(hook.stdout)
    return {"cases": cases, "idle_call_us": idle}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--peer", help="a Python interpreter that has smdebug")
    parser.add_argument("--worker", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        mode, *arguments = options.worker
        print(json.dumps(globals()["worker_" + mode](*map(int, arguments))))
        return 0
    result = measure(options.build.resolve(), options.peer)
    if options.json:
        print(json.dumps(result))
        return 0
    for case in result["cases"]:
        peer = "" if case["peer"] is None else ", %s %.1f ms" % (case["peer"], case["peer_overhead_ms"])
        print("%d tensors, %d parameters: %.2f ms more in a step of %.1f ms, %.2f ms of the processor%s"
              % (case["tensors"], case["params"], case["overhead_ms"], case["step_ms"], case["overhead_cpu_ms"], peer))
    print("a step that captures nothing: %.1f us in Python, %.2f us in C++"
          % (result["idle_call_us"]["python"], result["idle_call_us"]["cpp"]))
    return 0


if __name__ == "__main__":
    sys.exit(main())

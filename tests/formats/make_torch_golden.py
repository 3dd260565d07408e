#!/usr/bin/env python3
"""Writes the checkpoints in tests/formats/torch/ with PyTorch itself: make_torch_golden.py FOLDER [zip|legacy].

Those in the repository are from PyTorch 2.1.2 (zip) and 1.13.1 (legacy). Every number follows from its position, so that
the test knows it without PyTorch: element i of a tensor is i / 2 - 1 (i for integers, i odd for booleans).
"""
import argparse
import collections
import os
import sys

import numpy
import torch

# Whole modules in the legacy container bring the source text of their classes along: PyTorch's has no place here.
torch.serialization.get_source_lines_and_file = lambda cls, _=None: (["pass\n"], 0, "net.py")

folder, containers = sys.argv[1], sys.argv[2:] or ["zip", "legacy"]


class Script(torch.nn.Module):
    def forward(self, x):
        return x


def ramp(shape, dtype=torch.float32):
    i = torch.arange(int(numpy.prod(shape, dtype=int)))
    if dtype == torch.bool:
        values = i % 2 == 1
    elif dtype.is_floating_point:
        values = i / 2 - 1
    else:
        values = i
    return values.to(dtype).reshape(shape)


class Block(torch.nn.Module):
    """A class that no reader can know."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(2, 3, 1)
        self.bn = torch.nn.BatchNorm2d(3)
        self.register_buffer("cache", torch.zeros(4), persistent=False)


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.block = Block()
        self.head = torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Linear(3, 2, bias=False))
        for name, tensor in self.state_dict().items():
            tensor.copy_(ramp(tensor.shape, tensor.dtype))


def types():
    names = "float32 float64 float16 bfloat16 int64 int32 int16 int8 uint8 bool".split()
    state = collections.OrderedDict((name, ramp([2, 3], getattr(torch, name))) for name in names)
    state["scalar"] = torch.tensor(41)
    state["empty"] = torch.zeros(0, 3)
    state["rank 5"] = ramp([1, 2, 1, 3, 2])
    return state


def views():
    base = ramp([4, 6])
    return {
        "whole": base,
        "transposed": base.t(),
        "rows": base[1:3],
        "columns": base[:, 2:5:2],
        "expanded": base[1:2, :2].expand(3, 2),
        "parameter": torch.nn.Parameter(base[3]),
    }


def checkpoint():
    net = Net()
    optimizer = torch.optim.Adam(net.parameters())
    for parameter in net.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    net = Net()
    state = collections.OrderedDict(("module." + k, v) for k, v in net.state_dict().items())
    return {
        "epoch": 300,
        "arch": "net",
        "best": numpy.float64(0.5),
        "args": argparse.Namespace(lr=0.1),
        "optimizer": optimizer.state_dict(),
        "state_dict": state,
    }


def save(name, thing, **options):
    for container in containers:
        path = os.path.join(folder, f"{name}.{container}.pth")
        torch.save(thing, path, _use_new_zipfile_serialization=container == "zip", **options)


torch.manual_seed(0)
save("types", types())
save("views", views())
save("checkpoint", checkpoint())
save("module", Net())
save("protocol4", {"w": ramp([2, 2])}, pickle_protocol=4)
if "zip" in containers:
    torch.jit.save(torch.jit.script(Script()), os.path.join(folder, "script.zip.pth"))

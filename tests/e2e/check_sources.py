"""Two output folders of the same pictures from different containers: check_sources.py FIRST SECOND.

Everything must be equal but what names the container: the keys of records, the digests of stored bytes and the
fingerprints of the set.
"""
import glob
import json
import sys

import h5py
import numpy as np
import onnx

first, second = sys.argv[1:]


def arrays(folder):
    found = {}
    with h5py.File(f"{folder}/archive.h5") as archive:
        archive.visititems(lambda name, item: found.__setitem__(name, item[...]) if isinstance(item, h5py.Dataset) else None)
    return {name: value for name, value in found.items() if name != "records/key" and "digest" not in name and
            "fingerprint" not in name}


a, b = arrays(first), arrays(second)
assert a.keys() == b.keys() and len(a) > 10, set(a) ^ set(b)
for name in a:
    assert np.array_equal(a[name], b[name], equal_nan=a[name].dtype.kind == "f"), name
reports = [json.load(open(f"{folder}/report.json")) for folder in (first, second)]
for report in reports:
    report.pop("fingerprint")
assert reports[0] == reports[1], "report.json"
models = [onnx.load(glob.glob(f"{folder}/onnx-qdq/*.onnx")[0]) for folder in (first, second)]
for model in models:
    del model.metadata_props[:]  # the fingerprint
assert models[0] == models[1], "the models"

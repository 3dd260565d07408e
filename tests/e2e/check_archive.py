"""check_archive.py FOLDER INPUT_ELEMENTS: reads FOLDER/archive.h5 with h5py and nothing but the manual (jobs/doc/archive.md):
every element is counted once, decisions are those of report.json, and the digest of the content is right.
"""
import hashlib
import json
import sys

import h5py
import numpy as np

folder, input_elements = sys.argv[1], int(sys.argv[2])
report = json.load(open(f"{folder}/report.json"))
file = h5py.File(f"{folder}/archive.h5", "r")
STATISTICS = "positive negative exponent n zeros nans positive_infs negative_infs min max".split()
DECISIONS = "value threshold scale zero_point lo hi method sqnr_db cosine clipped elements".split()


def text(raw):
    return raw.decode().rstrip("\0")


def check(holds, what):
    if not holds:
        sys.exit(f"check_archive.py: {folder}/archive.h5: {what}")


def check_counts(group, where):
    apart = group["zeros"][:] + group["nans"][:] + group["positive_infs"][:] + group["negative_infs"][:]
    binned = group["positive"][:].sum(-1) + group["negative"][:].sum(-1)
    check((group["n"][:] == apart + binned).all(), f"{where}: n is not zeros + nans + infs + the bins")
    highest = np.maximum(group["max"][:], -group["min"][:]).astype(np.float64)
    edge = group["positive"].shape[-1] * 2.0 ** group["exponent"][:].astype(np.float64)
    check((highest[binned > 0] < edge[binned > 0]).all(), f"{where}: a value lies beyond the last bin")


# --- counts
values, used = file["values"], report["records"]["used"]
names = [text(n) for n in values["name"][:]]
check(len(set(names)) == len(names), "names repeat")
check(file.attrs["records_used"] == used, "records_used")
check(values["n"][0] == used * input_elements, f"the input has {values['n'][0]} elements, not {used} x {input_elements}")
check((values["n"][:] % used == 0).all() and (values["n"][:] > 0).all(), "a value was not seen in every record")
check_counts(values, "values")
for i, channels in enumerate(values["channels"][:]):
    if channels == 0:
        continue
    group = file[f"channels/{i:06d}"]
    check(len(group["n"]) == channels, f"{names[i]}: channels")
    check(group["n"][:].sum() == values["n"][i] and len(set(group["n"][:])) == 1, f"{names[i]}: elements of channels")
    check(group["zeros"][:].sum() == values["zeros"][i], f"{names[i]}: zeros of channels")
    check_counts(group, names[i])

# --- parts: of the blocks that were counted, in turn; value by value they add up to the whole
bad = set(file["records/bad/ordinal"][:])
if "parts" in file:
    n_records, block = len(file["records/digest"]), int(file.attrs["block_size"])
    part_of_record = [(0, 4, 2, 6, 1, 5, 3, 7)[r // block % 8] for r in range(n_records)]
    check("first_block" not in file["parts"], "ranges of blocks, but the pass was not to end early")
    for p in range(8):
        part = file[f"parts/{p}"]
        check_counts(part, f"part {p}")
        seen = sum(part_of_record[r] == p and r not in bad for r in range(n_records))
        check(file["parts/n_records"][p] == seen, f"part {p}: records")
        check(file["parts/n_blocks"][p] == len({r // block for r in range(n_records) if part_of_record[r] == p}),
              f"part {p}: blocks")
        check((part["n"][:] * used == values["n"][:] * seen).all(), f"part {p}: not what {seen} records show")
        if report["convergence"] is None:
            check("extras" in file, "thresholds against the number of records are missing")
            continue
        check(report["convergence"]["records"][p] == file["parts/n_records"][:p + 1].sum(),
              f"part {p}: records in report.json")
    for key in "n zeros nans positive_infs negative_infs".split():
        check((sum(file[f"parts/{p}/{key}"][:] for p in range(8)) == values[key][:]).all(), f"parts: {key}")
    check((np.max([file[f"parts/{p}/max"][:] for p in range(8)], 0) == values["max"][:]).all(), "parts: max")
    check((np.min([file[f"parts/{p}/min"][:] for p in range(8)], 0) == values["min"][:]).all(), "parts: min")
else:
    check(report["convergence"] is None, "no parts, but thresholds against the number of records")

# --- exact sums: between what the lower and the upper edges of the bins would sum to
for i, channels in enumerate(values["n_sums"][:]):
    if channels == 0:
        continue
    limbs = file[f"sums/{i:06d}"][:]
    check(limbs.shape == (channels, 40), f"{names[i]}: {limbs.shape} limbs of sums")
    check((limbs[:, :-1] < 2**32).all(), f"{names[i]}: a limb carries")
    total = sum(int(v) << 32 * k for row in limbs for k, v in enumerate([*row[:-1], row[-1].astype(np.int64)]))
    unit = 640 + int(values["exponent"][i])  # a bin's width in units of 2^-640
    k = np.arange(values["positive"].shape[1], dtype=object)
    positive, negative = (values[key][i].astype(object) for key in ("positive", "negative"))
    low, high = positive @ k - negative @ (k + 1), positive @ (k + 1) - negative @ k
    check(low << unit <= total <= high << unit, f"{names[i]}: the sum does not fit the histogram")

# --- extras: of all records, unless some were not finite
if "extras" in file:
    extras = file["extras"]
    finite = values["nans"][:] + values["positive_infs"][:] + values["negative_infs"][:] == 0
    check((extras["records"][finite] == used).all() or int(extras.attrs["extras"]) & 1 == 0, "records with extrema")
    check((extras["elements"][finite] == values["n"][finite]).all() or int(extras.attrs["extras"]) & 1 == 0, "elements with extrema")

    def real(row):
        return (sum(int(v) << 32 * k for k, v in enumerate([*row[:-1], row[-1].astype(np.int64)]))) / 2**640

    for i in np.flatnonzero(finite & (extras["records"][:] > 0)):
        low, high = real(extras["extrema"][2 * i]) / used, real(extras["extrema"][2 * i + 1]) / used
        check(values["min"][i] <= low <= high <= values["max"][i], f"{names[i]}: extrema of records")
    for i, n in enumerate(extras["n_top_two"][:]):
        check(n in (0, 2), f"{names[i]}: the two largest")
        if n > 0:
            check_counts(extras[f"top_two/{i:06d}"], f"{names[i]}: the two largest")
    for i, n in enumerate(extras["n_squares"][:]):
        check(n in (0, values["n_sums"][i]), f"{names[i]}: squares")
        for row in extras[f"squares/{i:06d}"] if n > 0 else []:
            check(real(row) >= 0, f"{names[i]}: squares")

# --- records
digests, keys = file["records/digest"][:], file["records/key"][:]
check(len(digests) == used + report["records"]["skipped"], "a record has no digest")
check((digests != 0).all() and len(set(keys)) == len(digests), "identities of records")
check([text(r) for r in file["records/bad/reason"][:]] == report["records"]["bad"], "reasons of bad records")

# --- decisions
targets = [text(t) for t in file["target_names/name"][:]]
check(targets == list(report["targets"]), "targets")
for target in targets:
    layers = [layer for layer in report["targets"][target]["layers"] if layer["method"] != "float"]
    rows = file["targets"][target]
    check([names[v] for v in rows["value"][:]] == [layer["name"] for layer in layers], f"{target}: values decided about")
    for key in ("threshold", "scale"):
        same = rows[key][:] == np.array([layer[key] for layer in layers], np.float32)
        check(same.all(), f"{target}: {key}")
    check([text(m) for m in rows["method"][:]] == [layer["method"] for layer in layers], f"{target}: methods")
    coded = {layer["node"]: layer for layer in report["targets"][target]["layers"] if "weights_method" in layer}
    weights = rows["layers"]
    check([text(n) for n in weights["name"][:]] == list(coded), f"{target}: layers with coded weights")
    check([text(m) for m in weights["method"][:]] == [layer["weights_method"] for layer in coded.values()],
          f"{target}: methods of weights")
    check(weights["n_scales"][:].sum() == len(weights["weight_scale"]) and (weights["weight_scale"][:] > 0).all(),
          f"{target}: scales of weights")
    check("code" not in weights or (weights["code"][:] > 0).all(), f"{target}: codes of weights")
    check(weights["n_biases"][:].sum() == len(weights["bias"]), f"{target}: biases")

# --- the digest, by its description in the manual
digest = hashlib.sha256()


def add(name, type_name, array):
    array = np.asarray(array)
    if array.dtype.kind == "f":
        array = array.copy()
        array[np.isnan(array)] = np.nan
    digest.update(name.encode() + b"\0" + type_name.encode() + b"\0")
    digest.update(np.array([array.ndim, *array.shape], "<u8").tobytes())
    digest.update(array.tobytes())


def add_item(name):
    item = file[name]
    add(name, "text" if item.dtype.kind == "S" else f"{item.dtype.kind}{item.dtype.itemsize * 8}", item[()])


def add_attribute(item, path, name):
    value = item.attrs.get_id(name)
    raw = np.empty(value.shape, value.dtype)
    value.read(raw)
    add(f"{path}/{name}", "text" if value.dtype.kind == "S" else f"u{value.dtype.itemsize * 8}", raw)


for name in ("etalon_version statistics_fingerprint decisions_fingerprint isa model model_fingerprint records_used "
             "block_size bins measurement_fingerprint probe").split():
    add_attribute(file, "", name)
add_item("/job")
for key in ["name", "channels", "n_sums", *STATISTICS]:
    add_item(f"/values/{key}")
for group in sorted(file["channels"]):
    add(f"/channels/{group}/bins", "u64", file[f"channels/{group}"].attrs["bins"])
    for key in STATISTICS:
        add_item(f"/channels/{group}/{key}")
for group in sorted(file["sums"]):
    add_item(f"/sums/{group}")
if "parts" in file:
    add_item("/parts/n_blocks")
    add_item("/parts/n_records")
    for p in range(8):
        add(f"/parts/{p}/bins", "u64", file[f"parts/{p}"].attrs["bins"])
        for key in STATISTICS:
            add_item(f"/parts/{p}/{key}")
if "extras" in file:
    add_attribute(extras, "/extras", "extras")
    for name in ("records", "elements", "n_top_two", "n_squares", "extrema"):
        add_item(f"/extras/{name}")
    for group in sorted(extras["top_two"]):
        add(f"/extras/top_two/{group}/bins", "u64", extras[f"top_two/{group}"].attrs["bins"])
        for key in STATISTICS:
            add_item(f"/extras/top_two/{group}/{key}")
    for group in sorted(extras["squares"]):
        add_item(f"/extras/squares/{group}")
for name in ("/records/digest /records/key /records/bad/ordinal /records/bad/reason /equalization/value /equalization/exponent "
             "/equalization/beside /target_names/name").split():
    if name != "/equalization/beside" or name in file:
        add_item(name)
for target in targets:
    add_attribute(file["targets"][target], f"/targets/{target}", "fingerprint")
    for key in DECISIONS:
        add_item(f"/targets/{target}/{key}")
    for key in ("decision", "threshold", "scale") if "channels" in file["targets"][target] else []:
        add_item(f"/targets/{target}/channels/{key}")
    for key in ("name", "n_scales", "n_biases", "method", "weight_mse", "weight_mse_max_abs", "weight_scale", "bias",
                *(["code"] if "code" in file["targets"][target]["layers"] else [])):
        add_item(f"/targets/{target}/layers/{key}")
stored = text(bytes(file.attrs["content_sha256"]))
check(digest.hexdigest() == stored, f"content_sha256 is {stored}, by the manual it is {digest.hexdigest()}")
print(f"{folder}: {len(names)} values, {(values['channels'][:] > 0).sum()} of them by channel, {len(digests)} records, "
      f"{len(targets)} targets: all as the manual says")

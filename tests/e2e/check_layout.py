"""check_layout.py MANUAL ARCHIVE...: the tables of the manual's archive.md against real archives, read with h5py and
h5dump and none of our code. Every dataset and attribute has a row there and is of the type, rank and unit that it says;
every row is met in one archive at least; and both readers find the same bytes in the first dataset of each row.
"""
import re
import subprocess
import sys

import h5py
import numpy as np

manual, *archives = sys.argv[1:]
INDEX = {"<value>": r"\d{6}", "<part>": "[0-7]", "<target>": r"[a-z0-9][a-z0-9_-]*"}


def fail(what):
    sys.exit(f"check_layout.py: {what}")


def tables(path):
    """Each heading's table: rows of cells, the heading row first."""
    found, heading = {}, None
    for line in open(path, encoding="utf-8"):
        if line.startswith("## "):
            heading = line[3:].strip()
        elif line.startswith("|") and not line.startswith("|---"):
            found.setdefault(heading, []).append([c.strip().strip("`") for c in re.split(r"(?<!\\)\|", line)[1:-1]])
    return {heading: [dict(zip(rows[0], row)) for row in rows[1:]] for heading, rows in found.items()}


def pattern(name):
    for word, expression in INDEX.items():
        name = name.replace(word, expression)
    return re.compile(name)


def documented(path):
    """{pattern: (name, rank, type, unit)} of all datasets, groups of statistics written out."""
    page, rows = tables(path), []
    for row in page["Datasets"]:
        group = row["dataset"].removesuffix("…")
        for item in page["Statistics"] if group != row["dataset"] else [row | {"dataset": ""}]:
            shape, kind = item["shape, type"].rsplit(" ", 1)
            rows.append((group + item["dataset"], shape.count(",") + 1, kind, item["unit"]))
    return {pattern(row[0]): row for row in rows}, {row["attribute"]: row["type"] for row in page["Attributes of the root"]}


def type_name(dtype):
    return "text" if dtype.kind == "S" else {"u": "u", "i": "i", "f": "f"}[dtype.kind] + str(8 * dtype.itemsize)


def attribute(item, name):
    raw = item.attrs[name]
    return raw.decode().rstrip("\0") if isinstance(raw, bytes) else raw


def dumped(path, name, item):
    """What h5dump makes of a dataset: its bytes, little-endian; of text, which it does not write so, what it prints."""
    form = ["-y", "-w", "0"] if item.dtype.kind == "S" else ["-b", "LE", "-o", "/dev/stdout", "-O", "/dev/null"]
    run = subprocess.run(["h5dump", "-d", f"/{name}", *form, path], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         check=False)
    if run.returncode != 0:
        fail(f"{path}: h5dump cannot read /{name}: {run.stderr.decode()}")
    if item.dtype.kind != "S":
        return run.stdout
    printed = run.stdout.decode().partition("DATA {")[2]
    return b"".join(text.encode() for text in re.findall(r'"((?:[^"\\]|\\.)*)"', printed.replace("\\000", "")))


def plain(item):
    """The same from h5py."""
    content = np.ascontiguousarray(item[()])
    return b"".join(content.ravel()) if item.dtype.kind == "S" else content.tobytes()


def check_dataset(path, name, item, rows, met):
    matching = [row for expression, row in rows.items() if expression.fullmatch(name)]
    if len(matching) != 1:
        fail(f"{path}: /{name} has {len(matching)} rows in the manual")
    documented_name, rank, kind, unit = matching[0]
    found_unit = attribute(item, "unit") if "unit" in item.attrs else ""
    if (item.ndim, type_name(item.dtype), found_unit) != (rank, kind, unit):
        fail(f"{path}: /{name} is of {item.ndim} dimensions, {type_name(item.dtype)}, unit \"{found_unit}\"; "
             f"the manual says {rank}, {kind}, \"{unit}\"")
    if not item.fletcher32 or item.chunks is None or (rank == 2 and item.compression != "gzip"):
        fail(f"{path}: /{name} is not protected as the manual says")
    met.setdefault(documented_name, False)
    if item.size > 0 and not met[documented_name]:  # the first of each row: a process for each takes its time
        if dumped(path, name, item) != plain(item):
            fail(f"{path}: h5py and h5dump read /{name} differently")
        met[documented_name] = True


def check_archive(path, rows, attributes, met):
    file = h5py.File(path, "r")
    found = {name: type_name(file.attrs.get_id(name).dtype) for name in file.attrs}
    if found != attributes:
        fail(f"{path}: attributes {sorted(set(found.items()) ^ set(attributes.items()))}")
    if file.attrs["format_version"] != (3 if "equalization/beside" in file else 2):
        fail(f"{path}: another version of the format than the manual's")
    names = []
    file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
    listed = subprocess.run(["h5dump", "-n", path], stdout=subprocess.PIPE, check=True, text=True).stdout
    if sorted(re.findall(r"^ dataset +/(.*)$", listed, re.M)) != sorted(names):
        fail(f"{path}: h5dump lists other datasets than h5py")
    for name in names:
        check_dataset(path, name, file[name], rows, met)
    print(f"{path}: {len(names)} datasets, each with its row in the manual")


dataset_rows, root_attributes = documented(manual)
met_rows = {}  # is it one that both readers have read?
for archive in archives:
    check_archive(archive, dataset_rows, root_attributes, met_rows)
missing = sorted({row[0] for row in dataset_rows.values()} - {row for row, is_read in met_rows.items() if is_read})
if missing:
    fail(f"no archive has a dataset, or content of it, for the rows: {', '.join(missing)}")
print(f"{len(met_rows)} rows of the manual, each met")

"""Exits with 1, and says why, unless two databases hold the same keys and values: same_database.py A B"""
import os
import sys

import lmdb
import plyvel


def rows(path):
    if os.path.exists(path + "/data.mdb"):
        with lmdb.open(path, readonly=True, lock=False) as env, env.begin() as txn:
            return list(txn.cursor())
    db = plyvel.DB(path, create_if_missing=False)
    found = list(db)
    db.close()
    return found


a, b = (rows(path) for path in sys.argv[1:3])
if len(a) != len(b) or not a:
    sys.exit(f"{len(a)} and {len(b)} records")
for (key_a, value_a), (key_b, value_b) in zip(a, b):
    if key_a != key_b:
        sys.exit(f"keys {key_a} and {key_b}")
    if value_a != value_b:
        differ = sum(x != y for x, y in zip(value_a, value_b))
        sys.exit(f"{key_a}: values of {len(value_a)} and {len(value_b)} bytes, of which {differ} differ")

/* output.h — the one way files leave the program: temporary name, fsync, read back, rename, fsync the folder.
 *
 * A reader sees the old file or the new one, never half of one. Everything written is remembered with size and SHA-256
 * for manifest.json. One thread; one run per folder (a lock file says whose: host, pid, job, start), whose other
 * processes may join it, each for files of its own.
 */
#ifndef ETALON_OUTPUT_H
#define ETALON_OUTPUT_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SHA256_HEX_BYTES = 65 };

struct output_file {
    char *name; /* relative to the folder, '/' between parts */
    uint64_t size_bytes;
    char sha256[SHA256_HEX_BYTES];
};

struct output;

/* mkdir -p. *made_at (0 before): folder[0 .. *made_at) is the outermost one that was not there; 0: all were.
 * EX_CANTCREAT. */
int output_make_folders(const char *folder, size_t *made_at, struct error *err);

/* Creates the folder and its parents, proves that it can be written to, takes `.etalon.lock`, sweeps temporaries of
 * dead runs, but not from sub-folders that have a lock of their own: they are another run's. EX_CANTCREAT: cannot be
 * created or written, or in use ("in use by pid 12 on node3, job 77"). A lock is stale when its pid is dead on this
 * host, or its job id is our own (SLURM_JOB_ID, requeued). */
struct output *output_open(const char *folder, struct error *err);
/* The folder that the file `path` lies in, or will lie in: others may work at files or in sub-folders beside it, so
 * temporaries of this file only are swept. *name: its name there, within `path`. EX_USAGE: not the name of a file;
 * EX_CANTCREAT: as output_open; a file is there already and must not be replaced ("use --force"); or what is there is a
 * folder or a device, which no file may replace. */
struct output *output_open_for(const char *path, bool may_replace, const char **name, struct error *err);
/* Releases the lock, removes temporaries, and the folders that output_open made where they are still empty. NULL is
 * allowed. */
void output_close(struct output *output);

/* From here on a file that is there already is not replaced: EX_CANTCREAT ("use --force"), by whatever writes it. */
void output_keep_files(struct output *output);

/* Another way into the folder that a process of this run has opened, for files that nobody else writes; `key` is its
 * output_key. *joined stays NULL where another folder bears the name, on another host's own disk: only who sees the
 * same lock is in the same folder. It holds no lock, so it must be closed first; it writes as long as the lock bears
 * the key. EX_OSERR. */
int output_join(const char *folder, const char *key, struct output **joined, struct error *err);
enum { OUTPUT_KEY_BYTES = 512 }; /* text of one terminating 0 */
void output_key(const struct output *output, char key[OUTPUT_KEY_BYTES]);
/* Enters a file that was written through a joined output, as if it had been written through this one. EX_OSERR. */
int output_adopt(struct output *output, const struct output_file *file, struct error *err);

/* Writes data[0..size) as `name` (sub-folders are made). EX_CANTCREAT, EX_IOERR. is_listed: goes into the manifest. */
int output_write(struct output *output, const char *name, const void *data, size_t size, bool is_listed,
                 struct error *err);

/* Before hours of work: could output_write_path write there? Its errors. */
int output_check_path(const char *path, bool may_replace, struct error *err);
/* One file anywhere, by the same way; as output_open_for. */
int output_write_path(const char *path, bool may_replace, const void *data, size_t size, struct error *err);

/* For writers that need a real file (HDF5): the path of an empty temporary in the destination folder, valid until the
 * matching commit or cancel; then sync, digest, rename. `verify` (optional) reads the temporary back before the rename.
 */
const char *output_begin(struct output *output, const char *name, struct error *err);
int output_commit(struct output *output, bool is_listed, int (*verify)(const char *path, void *context, struct error *),
                  void *context, struct error *err);
void output_cancel(struct output *output);

/* Removes a file of an earlier run, and its sub-folders where that empties them; it need not exist. EX_CANTCREAT: not
 * the name of a file inside this folder; EX_IOERR. */
int output_remove(struct output *output, const char *name, struct error *err);

/* Removes the files of `folder`, which is inside this one, or behind a link in it as everywhere here, and need not
 * exist, whose names match a shell's `pattern` ("0.*.h5"). EX_IOERR. */
int output_remove_like(struct output *output, const char *folder, const char *pattern, struct error *err);

/* The files written so far that are listed, in order of writing; borrowed until the next call. */
size_t output_files(const struct output *output, const struct output_file **files);
const char *output_folder(const struct output *output);

/* SHA-256 as lower-case hex. */
int sha256_file(const char *path, char hex[SHA256_HEX_BYTES], struct error *err); /* EX_NOINPUT, EX_IOERR */
void sha256_bytes(const void *data, size_t size, char hex[SHA256_HEX_BYTES]);
/* Incremental, for fingerprints over several things. */
struct sha256;
struct sha256 *sha256_create(struct error *err);
void sha256_add(struct sha256 *state, const void *data, size_t size);
void sha256_finish(struct sha256 *state, char hex[SHA256_HEX_BYTES]); /* also destroys */

#endif

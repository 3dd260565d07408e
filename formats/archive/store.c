/* store.c — the file, its groups and its errors; store_transfer.c moves the data. */
#include "formats/archive/store_private.h"
#include "common/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ROOT_ATTRIBUTES_MAX = 64 }; /* kept in the root's header rather than in a heap of their own */

/* ---- errors ----------------------------------------------------------------------------------------------------- */

int store_fail(struct store *store, int code, const char *format, ...)
{
    va_list args;

    if (store->has_failed) /* the first failure is the one to tell */
        return -1;
    store->has_failed = true;
    va_start(args, format);
    error_setv(store->err, code, format, args);
    va_end(args);
    return -1;
}

/* The innermost entry knows what really happened. Where it is a failed system call it names time, file, descriptor and
 * addresses over two lines; the system's own words among them are what a person needs. */
static herr_t copy_description(unsigned depth, const H5E_error2_t *entry, void *text)
{
    static const char quote[] = "error message = '";
    const char *system;

    if (depth > 0 || entry->desc == NULL)
        return 0;
    system = strstr(entry->desc, quote);
    if (system != NULL)
        snprintf(text, ERROR_TEXT_BYTES / 2, "%.*s", (int)strcspn(system + sizeof quote - 1, "'"),
                 system + sizeof quote - 1);
    else
        snprintf(text, ERROR_TEXT_BYTES / 2, "%s", entry->desc);
    return 0;
}

int store_library_failed(struct store *store, const char *object, const char *action)
{
    char why[ERROR_TEXT_BYTES / 2] = "HDF5 does not say why";

    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, copy_description, why);
    return store_fail(store, store->is_reading ? EX_DATAERR : EX_IOERR, "%s: cannot be %s: %s", object, action, why);
}

const char *store_object_name(hid_t object, const char *item, char text[STORE_OBJECT_NAME_BYTES])
{
    char parent[STORE_OBJECT_NAME_BYTES / 2] = "";
    hid_t errors = H5Eget_current_stack(); /* which any other call wipes out, and a message is about to want */

    if (H5Iget_name(object, parent, sizeof parent) <= 0)
        parent[0] = '\0';
    H5Eset_current_stack(errors);
    if (item == NULL)
        snprintf(text, STORE_OBJECT_NAME_BYTES, "%s", parent);
    else
        snprintf(text, STORE_OBJECT_NAME_BYTES, "%s/%s", strcmp(parent, "/") == 0 ? "" : parent, item);
    return text;
}

void *store_allocate(struct store *store, size_t n, size_t size, const char *what)
{
    struct error err = {0};
    void *memory = store->has_failed ? NULL : memory_create(n, size, what, &err);

    if (memory == NULL)
        store_fail(store, err.code, "%s", err.text);
    return memory;
}

/* ---- the file --------------------------------------------------------------------------------------------------- */

static void prepare_library(void)
{
    H5dont_atexit();
}

/* Access to files: v110 only; closing the file closes all that is open in it; no locks, for the temporary is ours alone
 * and a finished archive never changes (locks fail on some network filesystems). */
static hid_t access_list(void)
{
    hid_t list = H5Pcreate(H5P_FILE_ACCESS);

    if (list < 0 || H5Pset_libver_bounds(list, H5F_LIBVER_V110, H5F_LIBVER_V110) < 0 ||
        H5Pset_fclose_degree(list, H5F_CLOSE_STRONG) < 0 || H5Pset_file_locking(list, false, true) < 0) {
        H5Pclose(list);
        return H5I_INVALID_HID;
    }
    return list;
}

hid_t store_timeless_list(hid_t class)
{
    hid_t list = H5Pcreate(class);

    if (list < 0 || H5Pset_obj_track_times(list, false) < 0) {
        H5Pclose(list);
        return H5I_INVALID_HID;
    }
    return list;
}

static int start(struct store *store, bool is_reading, struct error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, prepare_library); /* before anything else of HDF5 is called */
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    *store = (struct store){.file = H5I_INVALID_HID, .is_reading = is_reading, .err = err};
    store->digest = sha256_create(err);
    return store->digest != NULL ? 0 : -1;
}

int store_create(struct store *store, const char *path, struct error *err)
{
    hid_t access, creation;

    if (start(store, false, err) != 0)
        return -1;
    access = access_list();
    creation = store_timeless_list(H5P_FILE_CREATE);
    if (access >= 0 && creation >= 0 && H5Pset_attr_phase_change(creation, ROOT_ATTRIBUTES_MAX, 0) >= 0)
        store->file = H5Fcreate(path, H5F_ACC_TRUNC, creation, access);
    if (store->file < 0)
        store_library_failed(store, path, "created");
    H5Pclose(access);
    H5Pclose(creation);
    return store->has_failed ? store_close(store) : 0;
}

int store_open(struct store *store, const char *path, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    hid_t access;

    if (fd < 0)
        return error_set(err, EX_NOINPUT, "cannot be opened: %s", strerror(errno));
    close(fd);
    if (start(store, true, err) != 0)
        return -1;
    access = access_list();
    if (access >= 0)
        store->file = H5Fopen(path, H5F_ACC_RDONLY, access);
    if (store->file < 0)
        store_library_failed(store, "the HDF5 file", "opened");
    H5Pclose(access);
    return store->has_failed ? store_close(store) : 0;
}

int store_close(struct store *store)
{
    char unused[SHA256_HEX_BYTES];

    if (store->digest != NULL)
        store_take_digest(store, unused);
    if (store->file >= 0 && !store->is_reading && !store->has_failed && H5Fflush(store->file, H5F_SCOPE_GLOBAL) < 0)
        store_library_failed(store, "the HDF5 file", "flushed");
    if (store->file >= 0 && H5Fclose(store->file) < 0)
        store_library_failed(store, "the HDF5 file", "closed");
    store->file = H5I_INVALID_HID;
    return store->has_failed ? -1 : 0;
}

void store_take_digest(struct store *store, char hex[SHA256_HEX_BYTES])
{
    sha256_finish(store->digest, hex);
    store->digest = NULL;
}

bool store_has(struct store *store, hid_t parent, const char *name)
{
    char object[STORE_OBJECT_NAME_BYTES];
    htri_t exists;

    if (store->has_failed)
        return false;
    exists = H5Lexists(parent, name, H5P_DEFAULT);
    if (exists < 0)
        store_library_failed(store, store_object_name(parent, name, object), "looked for");
    return exists > 0;
}

hid_t store_enter(struct store *store, hid_t parent, const char *name)
{
    char object[STORE_OBJECT_NAME_BYTES];
    hid_t group = H5I_INVALID_HID;

    if (store->has_failed)
        return group;
    if (store->is_reading)
        group = H5Gopen2(parent, name, H5P_DEFAULT);
    else {
        hid_t creation = store_timeless_list(H5P_GROUP_CREATE);

        if (creation >= 0)
            group = H5Gcreate2(parent, name, H5P_DEFAULT, creation, H5P_DEFAULT);
        H5Pclose(creation);
    }
    if (group < 0)
        store_library_failed(store, store_object_name(parent, name, object), store->is_reading ? "opened" : "created");
    return group;
}

void store_leave(struct store *store, hid_t group)
{
    if (group >= 0 && H5Gclose(group) < 0)
        store_library_failed(store, "a group", "closed");
}

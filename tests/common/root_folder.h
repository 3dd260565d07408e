/* root_folder.h — a fresh folder for each test of a program: make_root and remove_root are its setup and teardown. */
#ifndef ETALON_TESTS_ROOT_FOLDER_H
#define ETALON_TESTS_ROOT_FOLDER_H

#include <stdio.h>
#include <stdlib.h>

static char root[64]; /* the folder of the running test */

static inline int make_root(void **state)
{
    (void)state;
    snprintf(root, sizeof root, "/tmp/etalon_test_XXXXXX");
    return mkdtemp(root) != NULL ? 0 : -1;
}

static inline int remove_root(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    return system(command);
}

/* The path of a name in the folder; good until the fourth call after this one. */
static inline const char *in_root(const char *name)
{
    static char paths[4][300];
    static size_t at;
    char *path = paths[at++ % 4];

    snprintf(path, sizeof paths[0], "%s/%s", root, name);
    return path;
}

static inline void write_bytes(const char *name, const void *data, size_t size)
{
    FILE *file = fopen(in_root(name), "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

#endif

/* zoo_read.c — ZOO.yaml; see zoo.h. */
#include "jobs/schema.h"
#include "jobs/zoo/zoo.h"
#include "jobs/zoo/zoo_matrix.h"

#include <ctype.h>
#include <errno.h>
#include <glob.h>
#include <libgen.h>
#include <limits.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

enum { MAX_JOBS = 10000 };

/* What stands in the file, before jobs are made of it. */
struct zoo_plan {
    struct zoo *zoo;
    const struct yaml *jobs, *axes; /* the latter NULL: no matrix */
    struct zoo_matrix matrix;
    const char *const *sets; /* of the command line */
    size_t n_sets;
    struct zoo_gates gates;
    size_t capacity;
};

static int read_gate(struct schema *r, const struct yaml *node, void *target)
{
    if (schema_number(r, node, target) != 0)
        return -1;
    return *(double *)target >= 0 ? 0 : schema_wrong(r, node, "a number from 0 on");
}

static int read_gates(struct schema *r, const struct yaml *node, void *target)
{
    struct zoo_gates *gates = target;
    const struct schema_field fields[] = {
        {"accuracy_drop", read_gate, &gates->accuracy_drop},           {"agreement", read_gate, &gates->agreement},
        {"accuracy_fall", read_gate, &gates->accuracy_fall},           {"sqnr_fall", read_gate, &gates->sqnr_fall},
        {"threshold_movement", read_gate, &gates->threshold_movement},
    };

    return schema_map(r, node, fields, COUNT(fields));
}

static int read_node(struct schema *r, const struct yaml *node, void *target)
{
    (void)r;
    *(const struct yaml **)target = node;
    return 0;
}

static int read_map(struct schema *r, const struct yaml *node, void *target)
{
    return node->kind == YAML_MAP ? read_node(r, node, target) : schema_wrong(r, node, "keys of a job");
}

static int read_list(struct schema *r, const struct yaml *node, void *target)
{
    if (node->kind != YAML_LIST)
        return schema_wrong(r, node, "a list of jobs");
    return node->n > 0 ? read_node(r, node, target) : schema_wrong(r, node, "one job at least");
}

/* ---- names ---- */

/* "../nets/resnet20/job.yaml" -> "nets/resnet20". */
static char *name_of(struct schema *r, const char *path)
{
    size_t skipped = strlen(r->folder);
    char *name, *dot, *slash;

    if (strncmp(path, r->folder, skipped) == 0)
        path += skipped;
    while (*path == '/' || strncmp(path, "./", 2) == 0 || strncmp(path, "../", 3) == 0)
        path += *path == '/' ? 1 : path[1] == '/' ? 2 : 3;
    name = arena_copy_string(r->arena, path, r->err);
    if (name == NULL)
        return NULL;
    slash = strrchr(name, '/');
    dot = strrchr(slash == NULL ? name : slash, '.');
    if (dot != NULL)
        *dot = '\0';
    if (slash != NULL && strcmp(slash, "/job") == 0)
        *slash = '\0';
    return name;
}

/* Names become folders: what is none of a few characters is a '-', and no part is ".." or hidden. */
static const char *clean_copy(struct schema *r, const char *from)
{
    char *name = arena_copy_string(r->arena, from, r->err);

    if (name == NULL)
        return NULL;
    for (char *c = name; *c != '\0'; c++)
        if (!isalnum((unsigned char)*c) && strchr("._+-/@", *c) == NULL)
            *c = '-';
    for (char *c = name; *c != '\0'; c++)
        if (*c == '.' && (c == name || c[-1] == '/'))
            *c = '-';
    return name;
}

/* Is `inner` a folder inside that of `outer`, or the same? */
static bool is_inside(const char *inner, const char *outer)
{
    size_t n = strlen(outer);

    return strncmp(inner, outer, n) == 0 && (inner[n] == '\0' || inner[n] == '/');
}

/* A job's folder is its own: not the zoo's, none of its files, and in no other job's. */
static int check_name(struct schema *r, const struct zoo *zoo, const struct zoo_job *job)
{
    static const char *const taken[] = {"zoo.json", "history.json", "accepted.json", "junit.xml", "index.html"};
    size_t n = strlen(job->name);

    if (n == 0 || job->name[0] == '/' || job->name[n - 1] == '/' || strstr(job->name, "//") != NULL)
        return error_set(r->err, EX_CONFIG, "%s: \"%s\" is no name of a folder", job->file, job->name);
    for (size_t i = 0; i < COUNT(taken); i++)
        if (is_inside(job->name, taken[i]))
            return error_set(r->err, EX_CONFIG, "%s: the name \"%s\" is that of a file of the zoo", job->file,
                             taken[i]);
    for (size_t i = 0; i < zoo->n_jobs; i++) {
        const struct zoo_job *other = &zoo->jobs[i];

        if (strcmp(other->name, job->name) == 0)
            return error_set(r->err, EX_CONFIG, "two jobs are called \"%s\": %s and %s; give one a name", job->name,
                             other->file, job->file);
        if (is_inside(other->name, job->name) || is_inside(job->name, other->name))
            return error_set(
                r->err, EX_CONFIG, "the folder of one job, \"%s\", would hold that of another, \"%s\"; give one a name",
                strlen(other->name) < n ? other->name : job->name, strlen(other->name) < n ? job->name : other->name);
    }
    return 0;
}

static int add_job(struct schema *r, struct zoo_plan *plan, const struct zoo_job *job)
{
    struct zoo *zoo = plan->zoo;

    if (zoo->n_jobs == MAX_JOBS)
        return error_set(r->err, EX_CONFIG, "more than %d jobs", MAX_JOBS);
    if (check_name(r, zoo, job) != 0)
        return -1;
    if (zoo->n_jobs == plan->capacity) {
        size_t larger = plan->capacity < 16 ? 16 : 2 * plan->capacity;
        struct zoo_job *jobs = arena_create_array(r->arena, larger, sizeof *jobs, r->err);

        if (jobs == NULL)
            return -1;
        if (zoo->n_jobs > 0)
            memcpy(jobs, zoo->jobs, zoo->n_jobs * sizeof *jobs);
        zoo->jobs = jobs;
        plan->capacity = larger;
    }
    zoo->jobs[zoo->n_jobs++] = *job;
    return 0;
}

/* ---- one job, once for each place of the matrix ---- */

/* One job as the file lists it. */
struct entry {
    const char *path, *name; /* name may be NULL */
    const struct yaml *set;  /* NULL, or keys of a job */
    struct zoo_gates gates;
};

/* What the file sets of the job itself, and room for n_more behind it. */
static const char **own_sets(struct schema *r, const struct entry *entry, size_t n_more, size_t *n)
{
    size_t n_own = entry->set == NULL ? 0 : entry->set->n;
    const char **sets = arena_create_array(r->arena, n_own + n_more, sizeof *sets, r->err);

    for (*n = 0; sets != NULL && *n < n_own; ++*n)
        if ((sets[*n] = schema_set(r, entry->set->keys[*n]->text, entry->set->items[*n])) == NULL)
            return NULL;
    return sets;
}

/* The job at one place of the matrix: place[a] of axis a. */
static int make_job(struct schema *r, struct zoo_plan *plan, const struct entry *entry, const char *file,
                    const size_t *place)
{
    struct zoo_matrix *matrix = &plan->matrix;
    size_t n, n_own;
    const char **sets = own_sets(r, entry, matrix->n_axes + plan->n_sets + 1, &n);
    const char *name = entry->name != NULL ? entry->name : name_of(r, file);
    struct zoo_job job = {.file = file, .sets = sets, .gates = entry->gates};
    struct yaml output = {.kind = YAML_SCALAR};

    if (sets == NULL || name == NULL)
        return -1;
    n_own = n;
    for (size_t a = 0; a < matrix->n_axes; a++) {
        const struct zoo_value *value = &matrix->axes[a].values[place[a]];

        sets[n++] = value->set;
        if ((name = arena_format(r->arena, r->err, "%s%c%s", name, a == 0 ? '@' : '+', value->name)) == NULL)
            return -1;
    }
    for (size_t i = 0; i < plan->n_sets; i++)
        sets[n++] = plan->sets[i];
    job.name = clean_copy(r, name);
    output.text = job.name == NULL ? NULL : arena_format(r->arena, r->err, "%s/%s", plan->zoo->output, job.name);
    if (output.text == NULL || (sets[n++] = schema_set(r, "output", &output)) == NULL)
        return -1;
    job.n_sets = n;
    if (zoo_matrix_try(r, matrix, place, &job, n_own, plan->zoo->defaults) != 0)
        return -1;
    return add_job(r, plan, &job);
}

static int make_jobs(struct schema *r, struct zoo_plan *plan, const struct entry *entry, const char *file)
{
    size_t place[ZOO_MAX_AXES] = {0};

    for (;;) {
        size_t a = plan->matrix.n_axes;

        if (make_job(r, plan, entry, file, place) != 0)
            return -1;
        while (a > 0 && ++place[a - 1] == plan->matrix.axes[a - 1].n)
            place[--a] = 0;
        if (a == 0)
            return 0;
    }
}

/* ---- the list ---- */

static int read_set(struct schema *r, const struct yaml *node, void *target)
{
    return read_map(r, node, target);
}

static int read_entry(struct schema *r, const struct yaml *node, struct entry *entry)
{
    const struct schema_field fields[] = {
        {"file", schema_path, &entry->path},
        {"name", schema_text, &entry->name},
        {"set", read_set, &entry->set},
        {"gates", read_gates, &entry->gates},
    };

    if (node->kind == YAML_SCALAR)
        return schema_path(r, node, &entry->path);
    if (schema_map(r, node, fields, COUNT(fields)) != 0)
        return -1;
    return entry->path != NULL ? 0 : schema_wrong(r, node, "the key \"file\"");
}

static int expand(struct schema *r, struct zoo_plan *plan, const struct yaml *node)
{
    struct entry entry = {.gates = plan->gates};
    char where[64];
    glob_t found;
    int rc = read_entry(r, node, &entry);

    if (rc != 0)
        return rc;
    if (glob(entry.path, GLOB_ERR, NULL, &found) != 0)
        return error_set(r->err, EX_NOINPUT, "%s: no file is called %s", yaml_where(node, where), entry.path);
    if (entry.name != NULL && found.gl_pathc > 1)
        rc = error_set(r->err, EX_CONFIG, "%s: one name for %zu files", yaml_where(node, where), found.gl_pathc);
    for (size_t i = 0; rc == 0 && i < found.gl_pathc; i++) {
        const char *file = arena_copy_string(r->arena, found.gl_pathv[i], r->err);

        rc = file == NULL ? -1 : make_jobs(r, plan, &entry, file);
    }
    globfree(&found);
    return rc;
}

/* Jobs lie in folders of their own, from which a relative path would lead elsewhere. */
static int make_absolute(struct schema *r, const char **path)
{
    char folder[PATH_MAX];

    if ((*path)[0] == '/')
        return 0;
    if (getcwd(folder, sizeof folder) == NULL)
        return error_set(r->err, EX_OSERR, "the working directory cannot be told: %s", strerror(errno));
    *path = arena_format(r->arena, r->err, "%s/%s", folder, strncmp(*path, "./", 2) == 0 ? *path + 2 : *path);
    return *path == NULL ? -1 : 0;
}

static int fill(struct schema *r, struct zoo_plan *plan, const struct yaml *root)
{
    struct zoo *zoo = plan->zoo;
    const struct schema_field fields[] = {
        {"jobs", read_list, &plan->jobs},      {"defaults", read_map, &zoo->defaults},
        {"matrix", read_map, &plan->axes},     {"gates", read_gates, &plan->gates},
        {"output", schema_path, &zoo->output}, {"ranks_per_job", schema_size, &zoo->ranks_per_job},
    };
    static const char *const needed[] = {"jobs", "output"};

    if (schema_map(r, root, fields, COUNT(fields)) != 0)
        return -1;
    for (size_t i = 0; i < COUNT(needed); i++)
        if (yaml_get(root, needed[i]) == NULL)
            return error_set(r->err, EX_CONFIG, "the key \"%s\" is missing", needed[i]);
    if (zoo_matrix_read(r, plan->axes, &plan->matrix) != 0 || make_absolute(r, &zoo->output) != 0)
        return -1;
    for (size_t i = 0; i < plan->jobs->n; i++)
        if (expand(r, plan, plan->jobs->items[i]) != 0)
            return -1;
    return zoo_matrix_check(r, &plan->matrix);
}

struct zoo *zoo_read(const char *path, const char *const *sets, size_t n_sets, struct error *err)
{
    struct arena *arena = arena_create(err);
    struct zoo *zoo = arena == NULL ? NULL : arena_create_array(arena, 1, sizeof *zoo, err);
    char *copy = zoo == NULL ? NULL : arena_copy_string(arena, path, err); /* dirname writes into it */
    struct yaml *root = copy == NULL ? NULL : yaml_read(path, arena, err);
    struct zoo_plan plan = {.zoo = zoo, .sets = sets, .n_sets = n_sets, .gates = {NAN, NAN, NAN, NAN, NAN}};

    if (root != NULL) {
        struct schema r = {.arena = arena, .folder = dirname(copy), .err = err};

        zoo->arena = arena;
        zoo->ranks_per_job = 1;
        if (fill(&r, &plan, root) == 0)
            return zoo;
        error_in(err, "%s", path);
    }
    arena_destroy(arena);
    return NULL;
}

void zoo_destroy(struct zoo *zoo)
{
    if (zoo != NULL)
        arena_destroy(zoo->arena);
}

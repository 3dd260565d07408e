/* tallies.c — see tallies.h. */
#include "coordinator/tallies.h"

#include "common/memory.h"

#include <stdlib.h>

void tallies_init(struct tallies *t, struct observation *moved, size_t n_threads)
{
    *t = (struct tallies){.moved = moved, .most = 2 * n_threads};
    if (t->most < OBSERVE_PARTS)
        t->most = OBSERVE_PARTS;
    pthread_mutex_init(&t->mutex, NULL);
}

static void destroy(const struct tallies *t, struct tally *tally)
{
    if (tally != NULL)
        observation_destroy_wholes(tally->wholes, t->moved->graph->n_values);
    free(tally);
}

static struct tally *create(const struct tallies *t, struct error *err)
{
    struct tally *tally = memory_create(1, sizeof *tally, "statistics of a part", err);

    if (tally != NULL)
        tally->wholes = observation_create_wholes(t->moved, err);
    if (tally != NULL && tally->wholes != NULL)
        return tally;
    destroy(t, tally);
    return NULL;
}

static void push(struct tallies *t, size_t part, struct tally *tally)
{
    tally->next = t->idle[part];
    t->idle[part] = tally;
}

static struct tally *pop(struct tallies *t, size_t part)
{
    struct tally *tally = t->idle[part];

    if (tally != NULL)
        t->idle[part] = tally->next;
    return tally;
}

void tallies_fini(struct tallies *t)
{
    for (size_t p = 0; p < OBSERVE_PARTS; p++)
        while (t->idle[p] != NULL)
            destroy(t, pop(t, p));
    if (t->moved != NULL)
        pthread_mutex_destroy(&t->mutex);
}

/* What is counted there becomes part of `moved`. */
static int empty(struct tallies *t, size_t part, struct tally *tally, struct error *err)
{
    t->moved->parts->n_records[part] += tally->n_records;
    tally->n_records = 0;
    return observation_move(t->moved, part, tally->wholes, err);
}

/* The mutex is held. NULL: a new one is to be made, and is counted already; or a failure. */
static struct tally *find(struct tallies *t, size_t part, struct error *err)
{
    struct tally *tally = pop(t, part);
    size_t other = part;

    if (tally != NULL)
        return tally;
    if (t->n < t->most) {
        t->n++;
        return NULL;
    }
    while (tally == NULL) { /* threads have no more than half of them in hand, and this one has none */
        other = (other + 1) % OBSERVE_PARTS;
        tally = pop(t, other);
    }
    if (empty(t, other, tally, err) == 0)
        return tally;
    push(t, other, tally);
    return NULL;
}

struct tally *tallies_take(struct tallies *t, size_t part, struct error *err)
{
    struct error why = {0};
    struct tally *tally;

    pthread_mutex_lock(&t->mutex);
    tally = find(t, part, &why);
    pthread_mutex_unlock(&t->mutex);
    if (why.code != 0) {
        *err = why;
        return NULL;
    }
    return tally == NULL ? create(t, err) : tally;
}

void tallies_give(struct tallies *t, size_t part, struct tally *tally)
{
    pthread_mutex_lock(&t->mutex);
    push(t, part, tally);
    pthread_mutex_unlock(&t->mutex);
}

int tallies_empty(struct tallies *t, struct error *err)
{
    for (size_t p = 0; p < OBSERVE_PARTS; p++)
        for (struct tally *tally = t->idle[p]; tally != NULL; tally = tally->next)
            if (empty(t, p, tally, err) != 0)
                return -1;
    return 0;
}

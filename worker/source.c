/* source.c — see source.h.
 *
 * One lock guards three queues through which everything moves: numbers of requested blocks, idle blocks, and decoded
 * blocks. A decoding thread waits for a number and an idle block, fills it without the lock, and appends it to the
 * decoded ones; so memory is bounded by the idle blocks that source_create made.
 */
#include "worker/source.h"

#include "common/memory.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

struct decoder {
    struct source *source;
    pthread_t thread;
    struct feed *feed;
    struct feed_times times; /* of the feed, as of the last block; guarded by the source's lock */
};

struct source {
    struct source_options options;
    size_t rows[DATASET_MAX_INPUTS]; /* elements of one record, of each input */
    struct block *blocks;
    struct decoder *decoders;
    size_t n_running; /* decoders whose threads were started */

    pthread_mutex_t lock;
    pthread_cond_t work;    /* a request or an idle block came, or an end */
    pthread_cond_t decoded; /* a decoded block came, or an end */
    uint64_t *requests;     /* [requests_end], of which [requests_at, requests_end) wait */
    size_t requests_at, requests_end, requests_capacity;
    struct block **idle; /* a stack of n_idle */
    size_t n_idle;
    struct block **ready; /* a ring of `depth`, n_ready from ready_at */
    size_t ready_at, n_ready;
    size_t n_decoding;
    bool is_finished; /* no more requests */
    bool is_stopping; /* destroy was called */
    struct error failure;
};

static int block_init(struct block *block, const struct source *source, struct error *err)
{
    size_t n = source->options.block_size, row = 0, elements;

    for (size_t i = 0; i < source->options.n_inputs; i++) /* each at most TENSOR_MAX_ELEMENTS: no overflow */
        row += source->rows[i];
    if (!size_multiply(n, row, &elements))
        return error_set(err, EX_CONFIG, "a block of %zu records of %zu values is more than memory can address", n,
                         row);
    block->values = memory_create(elements, sizeof *block->values, "a block's input", err);
    block->labels = memory_create(n, sizeof *block->labels, "a block's labels", err);
    block->ordinals = memory_create(n, sizeof *block->ordinals, "a block's records", err);
    block->identities = memory_create(n, sizeof *block->identities, "a block's records", err);
    block->bad_ordinals = memory_create(n, sizeof *block->bad_ordinals, "a block's bad records", err);
    block->bad_identities = memory_create(n, sizeof *block->bad_identities, "a block's bad records", err);
    block->bad_reasons = memory_create(n, sizeof *block->bad_reasons, "a block's bad records", err);
    if (block->values == NULL || block->labels == NULL || block->ordinals == NULL || block->identities == NULL ||
        block->bad_ordinals == NULL || block->bad_identities == NULL || block->bad_reasons == NULL)
        return -1;
    for (size_t i = 0, at = 0; i < source->options.n_inputs; at += n * source->rows[i++])
        block->inputs[i] = block->values + at;
    return 0;
}

static void block_fini(struct block *block)
{
    free(block->values);
    free(block->labels);
    free(block->ordinals);
    free(block->identities);
    free(block->bad_ordinals);
    free(block->bad_identities);
    free(block->bad_reasons);
}

/* Reads record `ordinal` into row `row` of every input of the block. The error is the record's, or the dataset's. */
static int decode_record(struct decoder *decoder, struct block *block, uint64_t ordinal, size_t row, struct error *err)
{
    const struct source *source = decoder->source;
    float *rows[DATASET_MAX_INPUTS], *input = block->values;

    for (size_t i = 0; i < source->options.n_inputs; input += source->options.block_size * source->rows[i++])
        rows[i] = input + row * source->rows[i];
    block->ordinals[row] = ordinal;
    return feed_read(decoder->feed, ordinal, rows, &block->labels[row], &block->identities[row], err);
}

/* Also what a bad record left half-written: rows out of use are zero whatever was there before. */
static void clear_unused_rows(const struct source *source, struct block *block)
{
    size_t n = source->options.block_size;
    float *input = block->values;

    for (size_t i = 0; i < source->options.n_inputs; input += n * source->rows[i++])
        memset(input + block->n_records * source->rows[i], 0, (n - block->n_records) * source->rows[i] * sizeof *input);
}

/* Fills the block with the records of number block->index. Good records move up, so that rows [0, n_records) are in use
 * and in the dataset's order. -1 when the dataset failed; a bad record does not. */
static int decode_block(struct decoder *decoder, struct block *block, struct error *err)
{
    const struct source_options *options = &decoder->source->options;
    uint64_t first = block->index * options->block_size, left = dataset_count(options->dataset) - first;
    size_t n = left < options->block_size ? (size_t)left : options->block_size;

    block->n_records = 0;
    block->n_bad = 0;
    for (size_t i = 0; i < n; i++) {
        struct error why = {0};

        if (decode_record(decoder, block, first + i, block->n_records, &why) == 0) {
            block->n_records++;
        } else if (why.code == EX_DATAERR) {
            block->bad_ordinals[block->n_bad] = first + i;
            block->bad_identities[block->n_bad] = block->identities[block->n_records];
            memcpy(block->bad_reasons[block->n_bad], why.text, sizeof why.text);
            block->n_bad++;
        } else {
            return error_set(err, why.code, "%s", why.text);
        }
    }
    clear_unused_rows(decoder->source, block);
    return 0;
}

/* Called with the lock held: waits for a number and an idle block. NULL: no more work. */
static struct block *wait_for_work(struct source *source)
{
    for (;;) {
        bool has_request = source->requests_at < source->requests_end;

        if (source->is_stopping || source->failure.code != 0 || (source->is_finished && !has_request))
            return NULL;
        if (has_request && source->n_idle > 0)
            break;
        pthread_cond_wait(&source->work, &source->lock);
    }
    source->idle[source->n_idle - 1]->index = source->requests[source->requests_at++];
    return source->idle[--source->n_idle];
}

static void *decoder_main(void *context)
{
    struct decoder *decoder = context;
    struct source *source = decoder->source;
    struct block *block;

    pthread_mutex_lock(&source->lock);
    while ((block = wait_for_work(source)) != NULL) {
        struct error err = {0};
        int rc;

        source->n_decoding++;
        pthread_mutex_unlock(&source->lock);
        rc = decode_block(decoder, block, &err);
        pthread_mutex_lock(&source->lock);
        source->n_decoding--;
        decoder->times = feed_times(decoder->feed);
        if (rc == 0) {
            source->ready[(source->ready_at + source->n_ready++) % source->options.depth] = block;
            pthread_cond_signal(&source->decoded);
        } else {
            source->idle[source->n_idle++] = block;
            if (source->failure.code == 0)
                source->failure = err;
        }
        if (source->failure.code != 0 || source->is_finished) { /* takers and decoders may have to leave */
            pthread_cond_broadcast(&source->decoded);
            pthread_cond_broadcast(&source->work);
        }
    }
    pthread_mutex_unlock(&source->lock);
    return NULL;
}

static int decoder_init(struct decoder *decoder, struct source *source, struct error *err)
{
    decoder->source = source;
    decoder->feed = feed_create(source->options.dataset, source->options.inputs, source->options.n_inputs, err);
    return decoder->feed == NULL ? -1 : 0;
}

/* Signals are for the main thread: USR1 must not land in a decoder's read(). */
static int start_threads(struct source *source, struct error *err)
{
    sigset_t all, before;
    int code = 0;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (code == 0 && source->n_running < source->options.n_threads) {
        struct decoder *decoder = &source->decoders[source->n_running];

        code = pthread_create(&decoder->thread, NULL, decoder_main, decoder);
        source->n_running += code == 0;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (code != 0)
        return error_set(err, EX_OSERR, "cannot start decoding thread %zu of %zu: %s", source->n_running + 1,
                         source->options.n_threads, strerror(code));
    return 0;
}

static int source_init(struct source *source, struct error *err)
{
    const struct source_options *options = &source->options;

    source->blocks = memory_create(options->depth, sizeof *source->blocks, "blocks", err);
    source->idle = memory_create(options->depth, sizeof(struct block *), "blocks", err);
    source->ready = memory_create(options->depth, sizeof(struct block *), "blocks", err);
    source->decoders = memory_create(options->n_threads, sizeof *source->decoders, "decoding threads", err);
    if (source->blocks == NULL || source->idle == NULL || source->ready == NULL || source->decoders == NULL)
        return -1;
    for (size_t i = 0; i < options->depth; i++) {
        if (block_init(&source->blocks[i], source, err) < 0)
            return -1;
        source->idle[source->n_idle++] = &source->blocks[i];
    }
    for (size_t i = 0; i < options->n_threads; i++)
        if (decoder_init(&source->decoders[i], source, err) < 0)
            return -1;
    return start_threads(source, err);
}

static int check_options(const struct source_options *options, struct error *err)
{
    if (options->n_threads == 0 || options->block_size == 0 || options->depth <= options->n_threads ||
        options->n_inputs == 0 || options->n_inputs > DATASET_MAX_INPUTS)
        return error_set(err, EX_CONFIG,
                         "expected at least 1 decoding thread, 1 record a block, more blocks than threads and 1 to %d "
                         "inputs, found %zu, %zu, %zu and %zu",
                         DATASET_MAX_INPUTS, options->n_threads, options->block_size, options->depth,
                         options->n_inputs);
    for (size_t i = 0; i < options->n_inputs; i++) {
        char text[SHAPE_TEXT_BYTES];

        if (shape_elements(&options->inputs[i].shape) <= 0)
            return error_set(err, EX_CONFIG, "expected a network input of fixed size, found %s",
                             shape_text(&options->inputs[i].shape, text));
    }
    return 0;
}

struct source *source_create(const struct source_options *options, struct error *err)
{
    struct source *source;

    if (check_options(options, err) < 0 || (source = memory_create(1, sizeof *source, "a source", err)) == NULL)
        return NULL;
    source->options = *options;
    for (size_t i = 0; i < options->n_inputs; i++)
        source->rows[i] = (size_t)shape_elements(&options->inputs[i].shape);
    pthread_mutex_init(&source->lock, NULL); /* these three cannot fail with default attributes on Linux */
    pthread_cond_init(&source->work, NULL);
    pthread_cond_init(&source->decoded, NULL);
    if (source_init(source, err) == 0)
        return source;
    source_destroy(source);
    return NULL;
}

void source_destroy(struct source *source)
{
    if (source == NULL)
        return;
    pthread_mutex_lock(&source->lock);
    source->is_stopping = true;
    pthread_cond_broadcast(&source->work);
    pthread_cond_broadcast(&source->decoded);
    pthread_mutex_unlock(&source->lock);
    for (size_t i = 0; i < source->n_running; i++)
        pthread_join(source->decoders[i].thread, NULL);
    for (size_t i = 0; source->decoders != NULL && i < source->options.n_threads; i++) {
        feed_destroy(source->decoders[i].feed);
    }
    for (size_t i = 0; source->blocks != NULL && i < source->options.depth; i++)
        block_fini(&source->blocks[i]);
    pthread_cond_destroy(&source->work);
    pthread_cond_destroy(&source->decoded);
    pthread_mutex_destroy(&source->lock);
    free(source->requests);
    free(source->idle);
    free(source->ready);
    free(source->blocks);
    free(source->decoders);
    free(source);
}

int source_request(struct source *source, const uint64_t *blocks, size_t n, struct error *err)
{
    uint64_t count = dataset_count(source->options.dataset), size = source->options.block_size;
    uint64_t n_blocks = count / size + (count % size != 0);
    int rc = 0;

    for (size_t i = 0; i < n; i++)
        if (blocks[i] >= n_blocks)
            return error_set(err, EX_SOFTWARE, "block %llu of %llu was asked for", (unsigned long long)blocks[i],
                             (unsigned long long)n_blocks);
    pthread_mutex_lock(&source->lock);
    if (source->requests_at == source->requests_end) /* drained: the array starts over */
        source->requests_at = source->requests_end = 0;
    if (n > 0)
        rc = memory_grow((void **)&source->requests, &source->requests_capacity, source->requests_end + n - 1,
                         sizeof *source->requests, "requested blocks", err);
    if (rc == 0 && n > 0) {
        memcpy(source->requests + source->requests_end, blocks, n * sizeof *blocks);
        source->requests_end += n;
        pthread_cond_broadcast(&source->work);
    }
    pthread_mutex_unlock(&source->lock);
    return rc;
}

void source_finish(struct source *source)
{
    pthread_mutex_lock(&source->lock);
    source->is_finished = true;
    pthread_cond_broadcast(&source->work);
    pthread_cond_broadcast(&source->decoded);
    pthread_mutex_unlock(&source->lock);
}

/* Called with the lock held: how many requested blocks nobody has taken. */
static size_t pending(const struct source *source)
{
    return source->requests_end - source->requests_at + source->n_decoding + source->n_ready;
}

struct block *source_take(struct source *source, struct error *err)
{
    struct block *block = NULL;

    pthread_mutex_lock(&source->lock);
    while (source->failure.code == 0 && source->n_ready == 0 && !source->is_stopping &&
           !(source->is_finished && pending(source) == 0))
        pthread_cond_wait(&source->decoded, &source->lock);
    if (source->failure.code != 0) {
        error_set(err, source->failure.code, "%s", source->failure.text);
    } else if (source->n_ready > 0) {
        block = source->ready[source->ready_at];
        source->ready_at = (source->ready_at + 1) % source->options.depth;
        source->n_ready--;
        if (source->is_finished && pending(source) == 0) /* the last one: other takers wait for nothing more */
            pthread_cond_broadcast(&source->decoded);
    } else if (err != NULL) {
        err->code = 0;
    }
    pthread_mutex_unlock(&source->lock);
    return block;
}

void source_give_back(struct source *source, struct block *block)
{
    pthread_mutex_lock(&source->lock);
    source->idle[source->n_idle++] = block;
    pthread_cond_signal(&source->work);
    pthread_mutex_unlock(&source->lock);
}

size_t source_pending(struct source *source)
{
    size_t n;

    pthread_mutex_lock(&source->lock);
    n = pending(source);
    pthread_mutex_unlock(&source->lock);
    return n;
}

struct feed_times source_times(struct source *source)
{
    struct feed_times times = {0};

    pthread_mutex_lock(&source->lock);
    for (size_t i = 0; i < source->options.n_threads; i++) {
        times.read += source->decoders[i].times.read;
        times.decode += source->decoders[i].times.decode;
        times.preprocess += source->decoders[i].times.preprocess;
        times.records += source->decoders[i].times.records;
    }
    pthread_mutex_unlock(&source->lock);
    return times;
}

size_t source_block_bytes(const struct source_options *options)
{
    size_t record = 0, block;

    for (size_t i = 0; i < options->n_inputs; i++) {
        int64_t n = shape_elements(&options->inputs[i].shape);

        if (n <= 0 || (size_t)n > (SIZE_MAX - record) / sizeof(float))
            return SIZE_MAX;
        record += (size_t)n * sizeof(float);
    }
    return size_multiply(record, options->block_size, &block) ? block : SIZE_MAX;
}

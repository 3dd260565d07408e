/* bench_data.c — what reading, decoding and preprocessing cost against the least that they could.
 *
 *   bench_data [raw] [jpeg] [wait] [index]     all without arguments; data sets of 0.2 GB come and go below $TMPDIR
 *
 * Prints ratios, measured in turns so that both sides meet the same disturbance; time is the thread's own, and the
 * fastest of the runs counts.
 *   views     dataset_read of raw 3x227x227 datums of a warm LMDB, over memcpy of as many bytes
 *   convert   such bytes through mean and scale into the rows of blocks, bytes moved over those of a memcpy into the
 *             same rows
 *   jpeg      500x375 files to 224x224 (short side 256, crop), over libjpeg-turbo's decoding of them
 *   wait      SqueezeNet's engine on such files, one engine and one decoding thread: how long it waits for data
 *   index     the walk over a million keys
 */
#include "coordinator/pass.h"
#include "formats/record.h"
#include "formats/records/datum.h"
#include "formats/records/lmdb_write.h"
#include "worker/preprocess.h"

#include "networks.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <jpeglib.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    CHANNELS = 3,
    SIDE = 227,
    PIXELS = CHANNELS * SIDE * SIDE,
    DATUMS = 1000, /* 155 MB, beyond the last-level cache */
    ROWS = 24,     /* of inputs, 15 MB: the three blocks of eight that a source holds for one engine */
    COPIES = DATUMS / 4,
    JPEGS = 16,
    JPEG_ROUNDS = 40, /* 640 images: SqueezeNet takes them in 3 s */
    JPEG_HEIGHT = 375,
    JPEG_WIDTH = 500,
    JPEG_QUALITY = 92, /* about 100 KB each, as ImageNet's are on average */
    KEYS = 1000000,
    RUNS = 7,
};

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static _Noreturn void give_up(const char *why)
{
    fprintf(stderr, "bench_data: %s\n", why);
    exit(EX_OSERR);
}

static void check(bool is_good, const struct error *err)
{
    if (!is_good)
        give_up(err->text);
}

static void *need(size_t bytes)
{
    void *memory = malloc(bytes);

    if (memory == NULL)
        give_up("no memory");
    memset(memory, 1, bytes);
    return memory;
}

static void remove_lmdb(const char *name)
{
    char path[64];

    snprintf(path, sizeof path, "%s/data.mdb", name);
    unlink(path);
    rmdir(name);
}

/* The better of two ways of doing the same, in turns. */
struct contest {
    double first_s, second_s; /* the fastest run of each */
};

static struct contest compete(void (*first)(void *), void (*second)(void *), void *context)
{
    struct contest c = {INFINITY, INFINITY};

    for (int run = 0; run < RUNS; run++) {
        double start = seconds(), between;

        first(context);
        between = seconds();
        second(context);
        c.first_s = fmin(c.first_s, between - start);
        c.second_s = fmin(c.second_s, seconds() - between);
    }
    return c;
}

/* ---- raw datums ---- */

struct raw {
    struct dataset_cursor *cursor;
    struct record record;
    struct preprocessor *preprocessor;
    uint8_t *source, *target; /* [DATUMS x PIXELS], [PIXELS] */
    float *inputs;            /* [ROWS x PIXELS] */
};

static void copy_pixels(void *context)
{
    struct raw *raw = context;

    for (size_t i = 0; i < DATUMS; i++) {
        memcpy(raw->target, raw->source + i * PIXELS, PIXELS);
        __asm__ volatile("" ::"r"(raw->target) : "memory");
    }
}

static void lend_records(void *context)
{
    struct raw *raw = context;
    struct error err = {0};

    for (uint64_t i = 0; i < DATUMS; i++)
        check(dataset_read(raw->cursor, i, &raw->record, &err) == 0, &err);
}

static void copy_inputs(void *context)
{
    struct raw *raw = context;

    for (size_t i = 0; i < COPIES; i++) {
        memcpy(raw->inputs + i % ROWS * PIXELS, raw->source + i * PIXELS * sizeof(float), PIXELS * sizeof(float));
        __asm__ volatile("" ::"r"(raw->inputs) : "memory");
    }
}

static void convert_records(void *context)
{
    struct raw *raw = context;
    struct error err = {0};
    struct record record = {.order = PIXELS_BGR, .is_planar = true, .channels = 3, .height = SIDE, .width = SIDE};

    for (size_t i = 0; i < COPIES; i++) {
        record.bytes = raw->source + i * PIXELS;
        check(preprocess(raw->preprocessor, &record, raw->inputs + i % ROWS * PIXELS, &err) == 0, &err);
    }
}

static void write_datums(const uint8_t *pixels)
{
    struct error err = {0};
    struct lmdb_writer *writer = lmdb_writer_open("raw", &err);
    uint8_t *message = need(PIXELS + 128);

    check(writer != NULL, &err);
    for (size_t i = 0; i < DATUMS; i++) {
        struct datum datum = {.channels = CHANNELS, .height = SIDE, .width = SIDE, .label = (int64_t)i, .size = PIXELS};
        char key[32];

        datum.data = pixels + i * PIXELS;
        snprintf(key, sizeof key, "%08zu_record.png", i);
        check(lmdb_writer_put(writer, key, message, datum_write(&datum, NULL, message), &err) == 0, &err);
    }
    check(lmdb_writer_commit(writer, &err) == 0, &err);
    free(message);
}

static void bench_raw(void)
{
    static const struct preprocess_plan plan = {2,
                                                {{.kind = STEP_MEAN, .n_values = 3, .values = {104, 117, 123}},
                                                 {.kind = STEP_SCALE, .n_values = 1, .values = {0.017f}}}};
    const struct shape shape = {3, {CHANNELS, SIDE, SIDE}};
    struct dataset_request request = {.kind = "lmdb", .path = "raw"};
    struct raw raw = {.source = need((size_t)DATUMS * PIXELS), .target = need(PIXELS)};
    struct error err = {0};
    struct dataset *dataset;
    struct contest c;
    double gb = (double)DATUMS * PIXELS * 1e-9, moved = (double)COPIES * PIXELS * 1e-9;

    raw.inputs = need((size_t)ROWS * PIXELS * sizeof(float));
    for (size_t i = 0; i < (size_t)DATUMS * PIXELS; i++)
        raw.source[i] = (uint8_t)(i * 2654435761u >> 24);
    write_datums(raw.source);
    dataset = dataset_open(&request, &err);
    check(dataset != NULL && (raw.cursor = dataset_cursor_open(dataset, &err)) != NULL, &err);
    check((raw.preprocessor = preprocessor_create(&plan, &shape, &err)) != NULL, &err);

    c = compete(copy_pixels, lend_records, &raw);
    printf("views      %6.2f GB/s   memcpy %6.2f GB/s   ratio %.2f (goal 0.80)\n", gb / c.second_s, gb / c.first_s,
           c.first_s / c.second_s);
    c = compete(copy_inputs, convert_records, &raw);
    c.first_s /= 8; /* bytes moved, per value: 4 read and 4 written, against 1 read and 4 written */
    c.second_s /= 5;
    printf("convert    %6.2f GB/s   memcpy %6.2f GB/s   ratio %.2f (goal 0.70)\n", moved / c.second_s,
           moved / c.first_s, c.first_s / c.second_s);

    preprocessor_destroy(raw.preprocessor);
    record_fini(&raw.record);
    dataset_cursor_close(raw.cursor);
    dataset_close(dataset);
    remove_lmdb("raw");
    free(raw.source);
    free(raw.target);
    free(raw.inputs);
}

/* ---- JPEG ---- */

struct jpegs {
    struct dataset_cursor *cursor;
    struct record record;
    struct preprocessor *preprocessor;
    float *input;
    uint8_t *files[JPEGS], *pixels;
    unsigned long sizes[JPEGS];
};

/* Something between a photograph and noise: waves of several lengths, and a little noise. */
static void draw(uint8_t *pixels, unsigned seed)
{
    uint32_t random = seed * 747796405u + 1;

    for (size_t y = 0; y < JPEG_HEIGHT; y++)
        for (size_t x = 0; x < JPEG_WIDTH; x++)
            for (size_t c = 0; c < 3; c++) {
                double u = (double)x + (double)c, v = (double)y + (double)seed, value;

                random = random * 1664525u + 1013904223u;
                value = 128 + 50 * sin(u / 37 + v / 53) + 30 * sin(u / 7 - v / 11) + 15 * sin(u * v / 900) +
                        (double)(random >> 27) - 16;
                pixels[(y * JPEG_WIDTH + x) * 3 + c] = (uint8_t)fmax(0, fmin(255, value));
            }
}

static void write_jpeg(const uint8_t *pixels, const char *name)
{
    FILE *file = fopen(name, "wb");
    struct jpeg_compress_struct jpeg = {0};
    struct jpeg_error_mgr manager;

    if (file == NULL)
        give_up(strerror(errno));
    jpeg.err = jpeg_std_error(&manager);
    jpeg_create_compress(&jpeg);
    jpeg_stdio_dest(&jpeg, file);
    jpeg.image_width = JPEG_WIDTH;
    jpeg.image_height = JPEG_HEIGHT;
    jpeg.input_components = 3;
    jpeg.in_color_space = JCS_RGB;
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, JPEG_QUALITY, TRUE);
    jpeg_start_compress(&jpeg, TRUE);
    while (jpeg.next_scanline < jpeg.image_height) {
        JSAMPROW row = (JSAMPROW)(uintptr_t)(pixels + (size_t)jpeg.next_scanline * JPEG_WIDTH * 3);

        jpeg_write_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    if (fclose(file) != 0)
        give_up(strerror(errno));
}

/* The least that decoding can be: libjpeg-turbo from memory to memory, settings as ours. */
static void decode_plainly(void *context)
{
    struct jpegs *jpegs = context;

    for (size_t i = 0; i < JPEGS; i++) {
        struct jpeg_decompress_struct jpeg = {0};
        struct jpeg_error_mgr manager;

        jpeg.err = jpeg_std_error(&manager);
        jpeg_create_decompress(&jpeg);
        jpeg_mem_src(&jpeg, jpegs->files[i], jpegs->sizes[i]);
        jpeg_read_header(&jpeg, TRUE);
        jpeg_start_decompress(&jpeg);
        while (jpeg.output_scanline < jpeg.output_height) {
            JSAMPROW row = jpegs->pixels + (size_t)jpeg.output_scanline * JPEG_WIDTH * 3;

            jpeg_read_scanlines(&jpeg, &row, 1);
        }
        jpeg_finish_decompress(&jpeg);
        jpeg_destroy_decompress(&jpeg);
    }
}

static void decode_and_preprocess(void *context)
{
    struct jpegs *jpegs = context;
    struct error err = {0};

    for (uint64_t i = 0; i < JPEGS; i++)
        check(dataset_read(jpegs->cursor, i, &jpegs->record, &err) == 0 &&
                  preprocess(jpegs->preprocessor, &jpegs->record, jpegs->input, &err) == 0,
              &err);
}

static void read_whole(const char *name, uint8_t **bytes, unsigned long *size)
{
    FILE *file = fopen(name, "rb");

    if (file == NULL)
        give_up(strerror(errno));
    *bytes = need(1 << 20);
    *size = fread(*bytes, 1, 1 << 20, file);
    fclose(file); /* read only */
}

/* The files, and a list that names each of them JPEG_ROUNDS times. */
static void write_jpegs(void)
{
    uint8_t *pixels = need(JPEG_HEIGHT * JPEG_WIDTH * 3);
    FILE *list = fopen("list.txt", "w");
    char name[64];

    if (list == NULL || mkdir("jpeg", 0755) != 0)
        give_up(strerror(errno));
    for (unsigned i = 0; i < JPEGS; i++) {
        snprintf(name, sizeof name, "jpeg/%02u.jpg", i);
        draw(pixels, i);
        write_jpeg(pixels, name);
    }
    for (unsigned i = 0; i < JPEGS * JPEG_ROUNDS; i++)
        fprintf(list, "%02u.jpg 0\n", i % JPEGS);
    if (fclose(list) != 0)
        give_up(strerror(errno));
    free(pixels);
}

static void remove_jpegs(void)
{
    char name[64];

    for (unsigned i = 0; i < JPEGS; i++) {
        snprintf(name, sizeof name, "jpeg/%02u.jpg", i);
        unlink(name);
    }
    rmdir("jpeg");
    unlink("list.txt");
}

static void bench_jpeg(void)
{
    static const struct preprocess_plan plan = {
        4,
        {{.kind = STEP_RESIZE, .resize = {FIT_SHORT, FILTER_BILINEAR, 256, 256, 0}},
         {.kind = STEP_CROP, .crop = {224, 224}},
         {.kind = STEP_MEAN, .n_values = 3, .values = {123.675f, 116.28f, 103.53f}},
         {.kind = STEP_DIVIDE, .n_values = 3, .values = {58.395f, 57.12f, 57.375f}}}};
    const struct shape shape = {3, {3, 224, 224}};
    struct dataset_request request = {.kind = "images", .path = "jpeg"};
    struct jpegs jpegs = {.pixels = need(JPEG_HEIGHT * JPEG_WIDTH * 3), .input = need(3 * 224 * 224 * sizeof(float))};
    struct error err = {0};
    struct dataset *dataset;
    struct contest c;
    unsigned long total = 0;

    write_jpegs();
    for (unsigned i = 0; i < JPEGS; i++) {
        char name[64];

        snprintf(name, sizeof name, "jpeg/%02u.jpg", i);
        read_whole(name, &jpegs.files[i], &jpegs.sizes[i]);
        total += jpegs.sizes[i];
    }
    dataset = dataset_open(&request, &err);
    check(dataset != NULL && (jpegs.cursor = dataset_cursor_open(dataset, &err)) != NULL, &err);
    check((jpegs.preprocessor = preprocessor_create(&plan, &shape, &err)) != NULL, &err);
    jpegs.record.wish = preprocessor_wish(jpegs.preprocessor);

    c = compete(decode_plainly, decode_and_preprocess, &jpegs);
    printf("jpeg       %6.0f /s     libjpeg %5.0f /s     ratio %.2f (goal 0.90), %lu KB each\n", JPEGS / c.second_s,
           JPEGS / c.first_s, c.first_s / c.second_s, total / JPEGS / 1000);

    preprocessor_destroy(jpegs.preprocessor);
    record_fini(&jpegs.record);
    dataset_cursor_close(jpegs.cursor);
    dataset_close(dataset);
    for (unsigned i = 0; i < JPEGS; i++)
        free(jpegs.files[i]);
    remove_jpegs();
    free(jpegs.pixels);
    free(jpegs.input);
}

/* ---- waiting ---- */

static void *nothing_create(void *context, struct error *err)
{
    (void)err;
    return context;
}

static void nothing_destroy(void *context, void *state)
{
    (void)context;
    (void)state;
}

static int run_plainly(void *state, struct engine *engine, const struct block *block, struct error *err)
{
    (void)state;
    return engine_run(engine, block->inputs, block->n_records, NULL, NULL, err);
}

/* SqueezeNet 1.1 without observers, the hardest case for the data's side: one engine thread, one decoding thread. */
static void bench_wait(void)
{
    static const struct preprocess_plan plan = {
        4,
        {{.kind = STEP_RESIZE, .resize = {FIT_SHORT, FILTER_BILINEAR, 256, 256, 0}},
         {.kind = STEP_CROP, .crop = {227, 227}},
         {.kind = STEP_MEAN, .n_values = 3, .values = {123.675f, 116.28f, 103.53f}},
         {.kind = STEP_DIVIDE, .n_values = 3, .values = {58.395f, 57.12f, 57.375f}}}};
    const struct feed_input input = {.plan = &plan, .shape = {3, {3, 227, 227}}};
    struct comm comm = {0, 1};
    struct error err = {0};
    struct graph *graph = network_find("squeezenet")->build(&err);
    struct pass_worker worker = {&comm, nothing_create, nothing_destroy, run_plainly};
    struct pass_request request = {
        .graph = graph, .inputs = &input, .block_size = 8, .n_threads = 1, .n_decoders = 1, .what = "bench"};
    struct dataset_request files = {.kind = "images", .path = "jpeg", .list = "list.txt"};
    struct pass_result result;

    check(graph != NULL, &err);
    write_jpegs();
    check((request.dataset = dataset_open(&files, &err)) != NULL, &err);
    check(pass_run(&comm, &request, &worker, &result, &err) == 0, &err);
    printf("wait       engines waited %.1f %% of the time for data (%.0f images/s; goal 0)\n",
           100 * stages_wait_share(&result.stages), (double)result.n_used / result.seconds);
    pass_result_fini(&result);
    dataset_close(request.dataset);
    graph_destroy(graph);
    remove_jpegs();
}

/* ---- index ---- */

static void bench_index(void)
{
    struct error err = {0};
    struct lmdb_writer *writer = lmdb_writer_open("keys", &err);
    struct dataset_request request = {.kind = "lmdb", .path = "keys"};
    struct datum datum = {.channels = 1, .height = 1, .width = 1, .data = (const uint8_t *)"p", .size = 1};
    uint8_t message[128];
    size_t size = datum_write(&datum, NULL, message);

    check(writer != NULL, &err);
    for (int i = 0; i < KEYS; i++) {
        char key[64];

        snprintf(key, sizeof key, "%08d_n01440764_%05d.JPEG", i, i % 1300);
        check(lmdb_writer_put(writer, key, message, size, &err) == 0, &err);
    }
    check(lmdb_writer_commit(writer, &err) == 0, &err);
    for (int run = 0; run < 2; run++) { /* the first one reads it into the system's cache */
        double start = seconds();
        struct dataset *dataset;

        dataset = dataset_open(&request, &err);
        check(dataset != NULL, &err);
        if (run > 0)
            printf("index      %6.3f s for %d keys (goal 1.0)\n", seconds() - start, KEYS);
        dataset_close(dataset);
    }
    remove_lmdb("keys");
}

static const struct {
    const char *name;
    void (*run)(void);
} sections[] = {{"raw", bench_raw}, {"jpeg", bench_jpeg}, {"wait", bench_wait}, {"index", bench_index}};

int main(int argc, char **argv)
{
    const char *place = getenv("TMPDIR");
    char folder[4096];

    snprintf(folder, sizeof folder, "%s/etalon-bench.XXXXXX", place != NULL ? place : "/tmp");
    if (mkdtemp(folder) == NULL || chdir(folder) != 0)
        give_up(strerror(errno));
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++)
        for (int arg = 1; arg < argc || argc == 1; arg++)
            if (argc == 1 || strcmp(argv[arg], sections[i].name) == 0) {
                sections[i].run();
                break;
            }
    rmdir(folder);
    return 0;
}

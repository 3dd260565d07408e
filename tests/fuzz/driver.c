/* driver.c — a fuzz target without libFuzzer.
 *
 *   fuzz_onnx FILE...                        replays each file; ctest does this with the corpus
 *   fuzz_onnx --mutate SECONDS SEED FILE...  random mutations of the files, each of up to 64 kB, until time is up
 *
 * What is being tried is written to the file `last.<pid>` first, so that a crash leaves its reproducer; a parser that
 * takes more than ten seconds is killed by SIGALRM.
 */
#include "fuzz.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <fcntl.h>

enum { MAX_BYTES = 1 << 16, MAX_SECONDS = 10 };

struct input {
    uint8_t *data;
    size_t size;
};

static char last_path[64];
static int last_file;

static void die(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

static struct input read_input(const char *path)
{
    struct input input = {malloc(MAX_BYTES), 0};
    FILE *file = fopen(path, "rb");

    if (file == NULL || input.data == NULL)
        die(path);
    input.size = fread(input.data, 1, MAX_BYTES, file);
    if (ferror(file) || fclose(file) != 0)
        die(path);
    return input;
}

static void open_last(void)
{
    snprintf(last_path, sizeof last_path, "last.%ld", (long)getpid());
    last_file = open(last_path, O_RDWR | O_CREAT | O_TRUNC, 0644);
    if (last_file < 0)
        die(last_path);
}

static bool try(const struct input *input)
{
    bool is_accepted;

    if (pwrite(last_file, input->data, input->size, 0) != (ssize_t)input->size ||
        ftruncate(last_file, (off_t)input->size) != 0)
        die(last_path);
    alarm(MAX_SECONDS);
    is_accepted = fuzz_check(input->data, input->size);
    alarm(0);
    return is_accepted;
}

/* xorshift64*: the same seed gives the same mutations everywhere. */
static uint64_t draw_state;

static size_t draw(size_t n)
{
    draw_state ^= draw_state >> 12;
    draw_state ^= draw_state << 25;
    draw_state ^= draw_state >> 27;
    return n == 0 ? 0 : (size_t)((draw_state * UINT64_C(0x2545F4914F6CDD1D)) >> 11) % n;
}

static void overwrite(struct input *input)
{
    static const uint8_t telling[] = {0x00, 0x01, 0x7f, 0x80, 0xff, 0x08, 0x0a, 0x12,
                                      0x20, '\n', '"',  '{',  '}',  ':',  '-'};

    input->data[draw(input->size)] = draw(2) ? (uint8_t)draw(256) : telling[draw(sizeof telling)];
}

static void flip_bit(struct input *input)
{
    input->data[draw(input->size)] ^= (uint8_t)(1u << draw(8));
}

static void cut(struct input *input)
{
    size_t at = draw(input->size), n = 1 + draw(draw(2) ? 8 : input->size - at);

    n = n < input->size - at ? n : input->size - at;
    memmove(input->data + at, input->data + at + n, input->size - at - n);
    input->size -= n;
}

/* Doubles a piece, in another place: repeated and nested fields. */
static void copy_piece(struct input *input)
{
    size_t from = draw(input->size), to = draw(input->size), n = 1 + draw(draw(2) ? 16 : input->size - from);
    uint8_t *piece;

    n = n < input->size - from ? n : input->size - from;
    n = n < MAX_BYTES - input->size ? n : MAX_BYTES - input->size;
    piece = malloc(n + 1);
    if (piece == NULL)
        die("malloc");
    memcpy(piece, input->data + from, n);
    memmove(input->data + to + n, input->data + to, input->size - to);
    memcpy(input->data + to, piece, n);
    input->size += n;
    free(piece);
}

static void set_number(struct input *input)
{
    static const uint32_t telling[] = {0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 0x10000, 0x40000000, 64, 65};
    uint32_t number = telling[draw(sizeof telling / sizeof *telling)];
    size_t at = draw(input->size), n = input->size - at;

    memcpy(input->data + at, &number, n < sizeof number ? n : sizeof number);
}

static void mutate(struct input *input)
{
    static void (*const ways[])(struct input *) = {overwrite, flip_bit, cut, copy_piece, set_number};

    for (size_t n = 1 + draw(draw(2) ? 4 : 32); n > 0 && input->size > 0; n--)
        ways[draw(sizeof ways / sizeof *ways)](input);
}

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void mutate_all(const struct input *seeds, size_t n, double duration)
{
    struct input input = {malloc(MAX_BYTES), 0};
    double end = seconds() + duration;
    size_t tried = 0;

    if (input.data == NULL)
        die("malloc");
    for (; seconds() < end; tried++) {
        const struct input *seed = &seeds[tried % n];

        memcpy(input.data, seed->data, seed->size);
        input.size = seed->size;
        mutate(&input);
        try(&input);
    }
    printf("%zu mutations of %zu files\n", tried, n);
    free(input.data);
}

int main(int argc, char **argv)
{
    bool is_mutating = argc > 4 && strcmp(argv[1], "--mutate") == 0;
    int first = is_mutating ? 4 : 1, n = argc - first;
    struct input *inputs;

    if (n < 1) {
        fprintf(stderr, "usage: %s [--mutate SECONDS SEED] FILE...\n", argv[0]);
        return 64;
    }
    inputs = calloc((size_t)n, sizeof *inputs);
    if (inputs == NULL)
        die("calloc");
    open_last();
    for (int i = 0; i < n; i++) {
        inputs[i] = read_input(argv[first + i]);
        printf("%s: ", argv[first + i]);
        fflush(stdout); /* the last line names what crashed */
        puts(try(&inputs[i]) ? "accepted" : "refused");
    }
    if (is_mutating) {
        draw_state = strtoull(argv[3], NULL, 10) * 2 + 1; /* never 0 */
        mutate_all(inputs, (size_t)n, atof(argv[2]));
    }
    for (int i = 0; i < n; i++)
        free(inputs[i].data);
    free(inputs);
    unlink(last_path);
    close(last_file);
    return 0;
}

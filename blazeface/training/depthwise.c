/* Depthwise convolutions over NHWC maps of float32: forward, and the gradients of input and filter (see depthwise.py).
 *
 * A block of channels is one vector. Rows are first copied into a small ring of zero-padded lines, so that the
 * inner loops know no borders and read one cache line after the other.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__AVX__)
#define LANES 8
#else
#define LANES 4
#endif
#if defined(__AVX512VL__) || defined(__aarch64__)
#define TAP_ROWS 5 /* 32 registers hold 5 x 5 sums */
#define AT_ONCE 8  /* output pixels worked on together */
#else
#define TAP_ROWS 2
#define AT_ONCE 4
#endif
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 8")
#endif
#define INLINE static inline __attribute__((always_inline))
#define MAX_KERNEL 5

typedef float Vec __attribute__((vector_size(4 * LANES)));

typedef struct {
    const float *input; /* (batch, height, width, channels) */
    float *output;      /* (batch, out_height, out_width, channels) */
    /* pad: zeros above and to the left; what lies below and to the right of the input counts as zero, too.
     * spread: distance of the input's pixels, with zeros in between; 1 or 2. */
    int64_t batch, height, width, channels, out_height, out_width, kernel, stride, pad, spread;
} Maps;

/* Channels first .. first + LANES of `count` pixels of a map; lanes past the last channel are left alone. */
INLINE void copy_line(const Maps *m, Vec *line, const float *map, int64_t pixel, int64_t count, int64_t first,
                      int64_t spread) {
    const int64_t left = m->channels - first;
    const float *from = map + pixel * m->channels + first;
    if (left >= LANES)
        for (int64_t i = 0; i < count; i++) memcpy(line + i * spread, from + i * m->channels, sizeof(Vec));
    else
        for (int64_t i = 0; i < count; i++) memcpy(line + i * spread, from + i * m->channels, 4 * left);
}

/* The last `kernel` rows of the padded input, for one block of channels of one image. */
typedef struct {
    Vec *lines;           /* kernel lines of `length` vectors, row r in line r % kernel */
    int64_t length, next; /* next: the row to read, counted from the padding */
} Ring;

/* Whether a row, counted from the padding, is one of the map's and not of zeros. */
INLINE int holds_pixels(const Maps *m, int64_t row) {
    const int64_t from = row - m->pad;
    return from >= 0 && from % m->spread == 0 && from / m->spread < m->height;
}

/* Read the rows up to `end`. Between and beside the pixels, lines stay the zeros that they were made of. */
INLINE void read_rows(const Maps *m, Ring *ring, int64_t image, int64_t first, int64_t end, const int kernel) {
    const int64_t room = (ring->length - m->pad + m->spread - 1) / m->spread;
    const int64_t inside = m->width < room ? m->width : room;
    for (; ring->next < end; ring->next++) {
        if (!holds_pixels(m, ring->next)) continue;
        Vec *line = ring->lines + ring->next % kernel * ring->length + m->pad;
        const int64_t row = (ring->next - m->pad) / m->spread;
        copy_line(m, line, m->input, (image * m->height + row) * m->width, inside, first, m->spread);
    }
}

/* `count` neighbouring pixels of one output row. */
INLINE void filter_pixels(const Vec *const *lines, const Vec *const *taps, const int rows, const Vec bias,
                          int64_t x, Vec *sums, const int kernel, const int stride, const int count) {
    Vec sum[AT_ONCE];
    UNROLL for (int i = 0; i < count; i++) sum[i] = bias;
    for (int r = 0; r < rows; r++) {
        const Vec *line = lines[r] + x * stride;
        UNROLL for (int k = 0; k < kernel; k++) {
            const Vec tap = taps[r][k];
            UNROLL for (int i = 0; i < count; i++) sum[i] += tap * line[i * stride + k];
        }
    }
    UNROLL for (int i = 0; i < count; i++) sums[i] = sum[i];
}

/* All blocks of channels of a row, then the next row: a cache line of the map is then touched once. */
INLINE void filter_all(const Maps *m, const float *filter, const float *bias, Vec *scratch, const int kernel,
                       const int stride) {
    const int64_t length = (m->out_width - 1) * stride + kernel, blocks = (m->channels + LANES - 1) / LANES;
    const int64_t taps_count = kernel * kernel + 1;
    Vec *taps = scratch, *lines_start = scratch + blocks * taps_count;
    memset(taps, 0, sizeof(Vec) * blocks * taps_count);
    for (int64_t t = 0; t < taps_count; t++)
        for (int64_t c = 0; c < m->channels; c++)
            ((float *)(taps + c / LANES * taps_count + t))[c % LANES] =
                t < kernel * kernel ? filter[t * m->channels + c] : bias ? bias[c] : 0;
    for (int64_t image = 0; image < m->batch; image++) {
        memset(lines_start, 0, sizeof(Vec) * blocks * kernel * length);
        int64_t next = 0;
        for (int64_t y = 0; y < m->out_height; y++) {
            for (int64_t block = 0; block < blocks; block++) {
                const int64_t first = block * LANES;
                const int64_t used = m->channels - first < LANES ? m->channels - first : LANES;
                const Vec *own = taps + block * taps_count;
                Ring ring = {lines_start + block * kernel * length, length, next};
                read_rows(m, &ring, image, first, y * stride + kernel, kernel);
                const Vec *lines[MAX_KERNEL], *row_taps[MAX_KERNEL];
                int rows = 0;
                for (int k = 0; k < kernel; k++) { /* rows of zeros add nothing */
                    if (!holds_pixels(m, y * stride + k)) continue;
                    lines[rows] = ring.lines + (y * stride + k) % kernel * length;
                    row_taps[rows++] = own + k * kernel;
                }
                float *to = m->output + ((image * m->out_height + y) * m->out_width) * m->channels + first;
                for (int64_t x = 0; x < m->out_width;) {
                    Vec sums[AT_ONCE];
                    const int count = x + AT_ONCE <= m->out_width ? AT_ONCE : 1;
                    if (count == AT_ONCE)
                        filter_pixels(lines, row_taps, rows, own[kernel * kernel], x, sums, kernel, stride, AT_ONCE);
                    else
                        filter_pixels(lines, row_taps, rows, own[kernel * kernel], x, sums, kernel, stride, 1);
                    if (used == LANES)
                        for (int i = 0; i < count; i++) memcpy(to + (x + i) * m->channels, sums + i, sizeof(Vec));
                    else
                        for (int i = 0; i < count; i++) memcpy(to + (x + i) * m->channels, sums + i, 4 * used);
                    x += count;
                }
            }
            next = y * stride + kernel;
        }
    }
}

/* A function per shape: the compiler then unrolls the taps and keeps the sums in registers. */
static void filter_5x5(const Maps *m, const float *f, const float *b, Vec *s) { filter_all(m, f, b, s, 5, 1); }
static void filter_5x5_stride_2(const Maps *m, const float *f, const float *b, Vec *s) { filter_all(m, f, b, s, 5, 2); }
static void filter_3x3(const Maps *m, const float *f, const float *b, Vec *s) { filter_all(m, f, b, s, 3, 1); }
static void filter_3x3_stride_2(const Maps *m, const float *f, const float *b, Vec *s) { filter_all(m, f, b, s, 3, 2); }

/* output[y][x][c] = bias[c] + sum over ky, kx of filter[ky][kx][c] * input[y * s + ky - pad][x * s + kx - pad][c]
 *
 * filter: (kernel * kernel, channels); bias: (channels) or NULL. 0: done, 1: no memory. Kernel 3 or 5, stride 1 or 2.
 * The gradient of the input is the same sum over the output's gradient, spread by the stride, with the
 * filter turned half around. */
int depthwise_filter(const Maps *m, const float *filter, const float *bias) {
    const int64_t length = (m->out_width - 1) * m->stride + m->kernel;
    Vec *scratch;
    const int64_t blocks = (m->channels + LANES - 1) / LANES;
    const int64_t vectors = blocks * (m->kernel * m->kernel + 1 + m->kernel * length);
    if (posix_memalign((void **)&scratch, 64, sizeof(Vec) * vectors)) return 1;
    if (m->kernel == 5)
        (m->stride == 1 ? filter_5x5 : filter_5x5_stride_2)(m, filter, bias, scratch);
    else
        (m->stride == 1 ? filter_3x3 : filter_3x3_stride_2)(m, filter, bias, scratch);
    free(scratch);
    return 0;
}

/* `rows` rows of taps over one row of the map: sums[rows * kernel] grows. */
INLINE void add_taps(const Vec *const *lines, const Vec *output, int64_t width, Vec *sums, const int kernel,
                     const int stride, const int rows) {
    Vec sum[TAP_ROWS * MAX_KERNEL];
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int k = 0; k < kernel; k++) sum[r * kernel + k] = (Vec){0};
    for (int64_t x = 0; x < width; x++) {
        const Vec out = output[x];
        UNROLL for (int r = 0; r < rows; r++)
            UNROLL for (int k = 0; k < kernel; k++) sum[r * kernel + k] += out * lines[r][x * stride + k];
    }
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int k = 0; k < kernel; k++) sums[r * kernel + k] += sum[r * kernel + k];
}

/* One block of channels of one image: sums[kernel * kernel + 1] grows, the bias comes last. */
INLINE void add_block(const Maps *m, int64_t image, int64_t first, Vec *scratch, Vec *sums, const int kernel,
                      const int stride) {
    const int64_t length = (m->out_width - 1) * stride + kernel;
    Ring ring = {scratch, length, 0};
    Vec *output = scratch + kernel * length;
    memset(scratch, 0, sizeof(Vec) * (kernel * length + m->out_width));
    for (int64_t y = 0; y < m->out_height; y++) {
        read_rows(m, &ring, image, first, y * stride + kernel, kernel);
        copy_line(m, output, m->output, (image * m->out_height + y) * m->out_width, m->out_width, first, 1);
        const Vec *lines[MAX_KERNEL];
        for (int k = 0; k < kernel; k++) {
            const int64_t slot = (y * stride + k) % kernel;
            if (!holds_pixels(m, y * stride + k)) memset(ring.lines + slot * length, 0, sizeof(Vec) * length);
            lines[k] = ring.lines + slot * length;
        }
        int done = 0;
        for (; done + TAP_ROWS <= kernel; done += TAP_ROWS)
            add_taps(lines + done, output, m->out_width, sums + done * kernel, kernel, stride, TAP_ROWS);
        add_taps(lines + done, output, m->out_width, sums + done * kernel, kernel, stride, kernel % TAP_ROWS);
        Vec bias = {0};
        for (int64_t x = 0; x < m->out_width; x++) bias += output[x];
        sums[kernel * kernel] += bias;
    }
}

INLINE void add_all(const Maps *m, Vec *scratch, Vec *sums, const int kernel, const int stride) {
    for (int64_t image = 0; image < m->batch; image++)
        for (int64_t first = 0; first < m->channels; first += LANES)
            add_block(m, image, first, scratch, sums + first / LANES * (kernel * kernel + 1), kernel, stride);
}

static void add_5x5(const Maps *m, Vec *scratch, Vec *sums) { add_all(m, scratch, sums, 5, 1); }
static void add_5x5_stride_2(const Maps *m, Vec *scratch, Vec *sums) { add_all(m, scratch, sums, 5, 2); }
static void add_3x3(const Maps *m, Vec *scratch, Vec *sums) { add_all(m, scratch, sums, 3, 1); }
static void add_3x3_stride_2(const Maps *m, Vec *scratch, Vec *sums) { add_all(m, scratch, sums, 3, 2); }

/* gradient[ky][kx][c] = sum over image, y, x of output[y][x][c] * input[y * s + ky - pad][x * s + kx - pad][c]
 *
 * gradient: (kernel * kernel + 1, channels), overwritten; its last row is the bias. `output` is read only.
 * 0: done, 1: no memory. Kernel 3 or 5, stride 1 or 2; the caller keeps the maps' promises. */
int depthwise_filter_gradient(const Maps *m, float *gradient) {
    const int64_t taps = m->kernel * m->kernel + 1, blocks = (m->channels + LANES - 1) / LANES;
    const int64_t length = (m->out_width - 1) * m->stride + m->kernel;
    const int64_t bytes = sizeof(Vec) * (blocks * taps + m->kernel * length + m->out_width);
    Vec *sums;
    if (posix_memalign((void **)&sums, 64, bytes)) return 1;
    memset(sums, 0, bytes);
    Vec *scratch = sums + blocks * taps;
    if (m->kernel == 5)
        (m->stride == 1 ? add_5x5 : add_5x5_stride_2)(m, scratch, sums);
    else
        (m->stride == 1 ? add_3x3 : add_3x3_stride_2)(m, scratch, sums);
    for (int64_t tap = 0; tap < taps; tap++)
        for (int64_t c = 0; c < m->channels; c++)
            gradient[tap * m->channels + c] = sums[c / LANES * taps + tap][c % LANES];
    free(sums);
    return 0;
}

/* Weight and bias gradients of a depthwise convolution over NHWC maps (see depthwise.py).
 *
 *     weights[ky][kx][c] = sum over image, y, x of output[y][x][c] * input[y * s + ky - pad][x * s + kx - pad][c]
 *
 * A block of channels is one vector, and the sums of all taps (or of as many rows of taps as there are
 * registers for) stay in registers along a row of the map. Rows are first copied into a small ring of
 * zero-padded lines, so that the inner loop knows no borders and reads one cache line after the other.
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
#else
#define TAP_ROWS 2
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
    const void *input, *output; /* (batch, height, width, channels), (batch, out_height, out_width, channels) */
    int32_t bfloat16;           /* of both; else float32 */
    int64_t batch, height, width, channels, out_height, out_width, kernel, stride, pad;
} Maps;

/* Channels first .. first + LANES of `count` pixels of a map; lanes past the last channel are left alone. */
INLINE void copy_line(const Maps *m, Vec *line, const void *map, int64_t pixel, int64_t count, int64_t first) {
    const int64_t left = m->channels - first, at = pixel * m->channels + first;
    const int64_t used = left < LANES ? left : LANES;
    if (m->bfloat16) {
        const uint16_t *from = (const uint16_t *)map + at;
        for (int64_t i = 0; i < count; i++, from += m->channels) {
            uint16_t halves[LANES] = {0};
            uint32_t bits[LANES];
            memcpy(halves, from, 2 * (used == LANES ? LANES : used));
            for (int c = 0; c < LANES; c++) bits[c] = (uint32_t)halves[c] << 16; /* the upper half of a float */
            memcpy(line + i, bits, sizeof bits);
        }
    } else {
        const float *from = (const float *)map + at;
        if (used == LANES)
            for (int64_t i = 0; i < count; i++) memcpy(line + i, from + i * m->channels, sizeof(Vec));
        else
            for (int64_t i = 0; i < count; i++) memcpy(line + i, from + i * m->channels, 4 * used);
    }
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
    const int64_t inside = m->width < length - m->pad ? m->width : length - m->pad;
    Vec *ring = scratch, *output = scratch + kernel * length;
    int64_t next = 0; /* the input row to copy, counted from the padding; it stands in slot next % kernel */
    memset(scratch, 0, sizeof(Vec) * (kernel * length + m->out_width));
    for (int64_t y = 0; y < m->out_height; y++) {
        for (; next < y * stride + kernel; next++) {
            Vec *slot = ring + next % kernel * length;
            const int64_t row = next - m->pad;
            if (row < 0 || row >= m->height)
                memset(slot, 0, sizeof(Vec) * length);
            else
                copy_line(m, slot + m->pad, m->input, (image * m->height + row) * m->width, inside, first);
        }
        copy_line(m, output, m->output, (image * m->out_height + y) * m->out_width, m->out_width, first);
        const Vec *lines[MAX_KERNEL];
        for (int k = 0; k < kernel; k++) lines[k] = ring + (y * stride + k) % kernel * length;
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

/* A function per shape: the compiler then keeps the sums in registers. */
static void add_5x5(const Maps *m, Vec *scratch, Vec *sums) { add_all(m, scratch, sums, 5, 1); }
static void add_5x5_stride_2(const Maps *m, Vec *scratch, Vec *sums) { add_all(m, scratch, sums, 5, 2); }
static void add_3x3(const Maps *m, Vec *scratch, Vec *sums) { add_all(m, scratch, sums, 3, 1); }
static void add_3x3_stride_2(const Maps *m, Vec *scratch, Vec *sums) { add_all(m, scratch, sums, 3, 2); }

/* gradient: float (kernel * kernel + 1, channels), overwritten; its last row is the bias.
 * 0: done, 1: no memory. Kernel 3 or 5, stride 1 or 2; the caller keeps the maps' promises. */
int depthwise_weight_gradient(const Maps *m, float *gradient) {
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

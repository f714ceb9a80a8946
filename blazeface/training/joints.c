/* What stands between the convolutions, over NHWC maps of float32, in as few passes over memory as it takes
 * (see joints.py): batch norm + shortcut + ReLU as one, and 2 x 2 max pooling.
 *
 * A map is a list of pixels of `channels` values. The inner loops run over channels, which compilers turn
 * into vector instructions without leave to reorder sums.
 */
#include <stdint.h>
#include <string.h>

#define LARGER(a, b) ((a) > (b) ? (a) : (b))

/* Sum and sum of squared distances from the mean, per channel, of one image: mean (channels), spread (channels).
 * Two passes over an image, which lies in the cache for the second: no digits are lost to a large mean. */
static void image_moments(const float *map, int64_t pixels, int64_t channels, float *mean, float *spread) {
    memset(mean, 0, 4 * channels);
    memset(spread, 0, 4 * channels);
    for (int64_t p = 0; p < pixels; p++)
        for (int64_t c = 0; c < channels; c++) mean[c] += map[p * channels + c];
    for (int64_t c = 0; c < channels; c++) mean[c] /= (float)pixels;
    for (int64_t p = 0; p < pixels; p++)
        for (int64_t c = 0; c < channels; c++) {
            const float distance = map[p * channels + c] - mean[c];
            spread[c] += distance * distance;
        }
}

/* means, spreads: (images, channels). */
void moments(const float *map, int64_t images, int64_t pixels, int64_t channels, float *means, float *spreads) {
    for (int64_t i = 0; i < images; i++)
        image_moments(map + i * pixels * channels, pixels, channels, means + i * channels, spreads + i * channels);
}

/* out = max(0, map * scale + shift + shortcut); shortcut may be NULL. */
void join(const float *restrict map, const float *restrict shortcut, const float *restrict scale,
          const float *restrict shift, int64_t pixels, int64_t channels, float *restrict out) {
    for (int64_t p = 0; p < pixels; p++) {
        const int64_t at = p * channels;
        for (int64_t c = 0; c < channels; c++) {
            float value = map[at + c] * scale[c] + shift[c];
            if (shortcut) value += shortcut[at + c];
            out[at + c] = value < 0 ? 0 : value; /* what is not a number stays so, and is noticed */
        }
    }
}

/* gate = grad where out > 0, else 0; sums[0][c] += gate, sums[1][c] += gate * (map - mean), over one image's pixels
 * in float and over images in double: sums (2, channels). gate: the gradient of the shortcut. part: (2, channels). */
void join_gradient_sums(const float *restrict grad, const float *restrict out, const float *restrict map,
                        const float *restrict mean, int64_t images, int64_t pixels, int64_t channels,
                        float *restrict gate, float *restrict part, double *restrict sums) {
    for (int64_t i = 0; i < images; i++) {
        memset(part, 0, 8 * channels);
        for (int64_t p = 0; p < pixels; p++) {
            const int64_t at = (i * pixels + p) * channels;
            for (int64_t c = 0; c < channels; c++) {
                const float through = out[at + c] > 0 ? grad[at + c] : 0;
                gate[at + c] = through;
                part[c] += through;
                part[channels + c] += through * (map[at + c] - mean[c]);
            }
        }
        for (int64_t c = 0; c < 2 * channels; c++) sums[c] += part[c];
    }
}

/* grad_map = gate * scale + map * slope + offset. */
void join_gradient(const float *restrict gate, const float *restrict map, const float *restrict scale,
                   const float *restrict slope, const float *restrict offset, int64_t pixels, int64_t channels,
                   float *restrict grad_map) {
    for (int64_t p = 0; p < pixels; p++) {
        const int64_t at = p * channels;
        for (int64_t c = 0; c < channels; c++)
            grad_map[at + c] = gate[at + c] * scale[c] + map[at + c] * slope[c] + offset[c];
    }
}

/* The largest of each 2 x 2 pixels: map (images, 2 * height, 2 * width, channels) -> out (images, height, width, channels). */
void pool(const float *restrict map, int64_t images, int64_t height, int64_t width, int64_t channels,
          float *restrict out) {
    const int64_t line = 2 * width * channels;
    for (int64_t y = 0; y < images * height; y++)
        for (int64_t x = 0; x < width; x++) {
            const float *a = map + 2 * y * line + 2 * x * channels, *b = a + channels, *c = a + line, *d = c + channels;
            float *to = out + (y * width + x) * channels;
            for (int64_t i = 0; i < channels; i++) {
                const float ab = LARGER(a[i], b[i]), cd = LARGER(c[i], d[i]);
                to[i] = LARGER(ab, cd);
            }
        }
}

/* grad goes to the first of the four, row by row, that equals the largest. */
void pool_gradient(const float *restrict map, const float *restrict out, const float *restrict grad, int64_t images,
                   int64_t height, int64_t width, int64_t channels, float *restrict grad_map) {
    const int64_t line = 2 * width * channels;
    for (int64_t y = 0; y < images * height; y++)
        for (int64_t x = 0; x < width; x++) {
            const int64_t first = 2 * y * line + 2 * x * channels, from = (y * width + x) * channels;
            const float *a = map + first, *b = a + channels, *c = a + line;
            float *ga = grad_map + first, *gb = ga + channels, *gc = ga + line, *gd = gc + channels;
            for (int64_t i = 0; i < channels; i++) {
                const float best = out[from + i], g = grad[from + i];
                const int is_a = a[i] == best, is_b = b[i] == best, is_c = c[i] == best;
                ga[i] = is_a ? g : 0;
                gb[i] = !is_a & is_b ? g : 0;
                gc[i] = !is_a & !is_b & is_c ? g : 0;
                gd[i] = !is_a & !is_b & !is_c ? g : 0;
            }
        }
}

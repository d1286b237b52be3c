// What a batch of programmed tiles of differential pairs conducts: cells of their closed switches, and the weights'
// differences of two bit lines.
//
// Arrays are padded as the transfer matrices' kernels want them: open cells above (word lines) and at the right
// (bit lines), so that word line w of a tile lies on line `high - lines + w` of its array.
#include "portable.h"

#define EACH(P, COUNT)                                                              \
  for (int64_t P = (int64_t)BLOCK_X * THREADS + THREAD; P < (COUNT); P += (int64_t)BLOCKS_X * THREADS)

// Sums of the closed resistors (T, high, wide) of banks (T, lines, bits, k) with switches (T, lines, bits, bytes).
KERNEL(cells, 256)(const double *bank, const unsigned char *packed, int64_t tiles, int lines, int bits, int k, int high, int wide,
                   double *cell) {
  const int bytes = (k + 7) / 8;
  EACH(p, tiles * high * wide) {
    const int b = (int)(p % wide), w = (int)(p / wide % high) - (high - lines);
    double sum = 0.0;
    if (w >= 0 && b < bits) {
      const int64_t own = (p / wide / high * lines + w) * bits + b;
      for (int i = 0; i < k; i++) sum += packed[own * bytes + i / 8] >> (i % 8) & 1 ? bank[own * k + i] : 0.0;
    }
    cell[p] = sum;
  }
}

// Differences (T, lines, columns) of lines 2 c and 2 c + 1 of arrays of `size` numbers that begin at `first`, with
// steps between word lines and between bit lines.
KERNEL(differences, 256)(const double *value, int64_t tiles, int lines, int columns, int64_t size, int64_t first, int64_t word,
                         int64_t bit, double *difference) {
  EACH(p, tiles * lines * columns) {
    const int64_t c = p % columns, w = p / columns % lines, t = p / columns / lines;
    const double *at = value + t * size + first + w * word + 2 * c * bit;
    difference[p] = at[0] - at[bit];
  }
}

// Scales, targets and masks of a batch of tiles of differential pairs, with the bits of the passes that do it tile by tile:
// xbar/subset/kernels/scaling.py, xbar/compiler/passes/{choose_subsets,close_switches}.py.
//
// A place is a weight's pair of cells, as many as there are on all tiles (tile, word line, column); its bank of
// 2 K resistors, those of the second cell negative, has been drawn before. Nothing may be fused.
#include "portable.h"

constexpr double GOLDEN = 0.6180339887498949, START = 0.5;
constexpr int REFINEMENTS = 6, TRIALS = 13;

#define EACH_PLACE(P, COUNT)                                                        \
  for (int64_t P = (int64_t)BLOCK_X * THREADS + THREAD; P < (COUNT); P += (int64_t)BLOCKS_X * THREADS)

// Mean, standard deviation, lowest and highest sum of each bank, (4, places); a target of 0 where no weight is.
KERNEL(reaches, 256)(const double *bank, int64_t places, int elements, double *reach, double *target) {
  EACH_PLACE(p, places) {
    double low = 0.0, high = 0.0, square = 0.0;
    for (int e = 0; e < elements; e++) {
      const double value = bank[p * elements + e];
      square += value * value;
      if (value > 0.0) high += value;
      else low += value;
    }
    reach[p] = 0.0 + (low + high) / 2.0;
    reach[places + p] = sqrt(square) / 2.0;
    reach[2 * places + p] = 0.0 + low;
    reach[3 * places + p] = 0.0 + high;
    target[p] = 0.0;
  }
}

struct Column {  // of a block: places from `first` on, `stride` apart
  const double *weight, *reach;
  int64_t places, stride;
  int rows;
};

DEVICE double expected_error(const Column &c, double scale, const double *table, int last, double per_unit) {
  double total = 0.0;
  for (int r = 0; r < c.rows; r++) {
    const int64_t p = r * c.stride;
    const double target = scale * c.weight[p], low = c.reach[2 * c.places + p], high = c.reach[3 * c.places + p];
    double within = target < low ? low : target;
    within = within > high ? high : within;
    const double missed = target - within, deviation = c.reach[c.places + p];
    if (deviation > 0.0) {
      const double off = within - c.reach[p], place = (off < 0.0 ? -off : off) / deviation * per_unit;
      total += deviation * deviation * table[place < (double)last ? (int)place : last];
    }
    total += missed * missed;
  }
  return total / (scale * scale);
}

// Of all numbers the middle one, or the mean of the two middle ones.
DEVICE double median_deviation(const Column &c) {
  const double *deviation = c.reach + c.places;
  const int lower = (c.rows - 1) / 2, upper = c.rows / 2;
  double a = 0.0, b = 0.0;
  for (int i = 0; i < c.rows; i++) {
    const double x = deviation[i * c.stride];
    int below = 0, up_to = 0;
    for (int j = 0; j < c.rows; j++) {
      const double y = deviation[j * c.stride];
      below += y < x;
      up_to += y <= x;
    }
    if (below <= lower && lower < up_to) a = x;
    if (below <= upper && upper < up_to) b = x;
  }
  return lower == upper ? a : (a + b) / 2.0;
}

DEVICE double best_scale(const Column &c, double start, const double *power, const double *table, int last, double per_unit) {
  const double ratio = power[1];
  double best = start, least = bits_as_double(0x7FF0000000000000ll);
  for (int step = 0; step < TRIALS; step++) {
    const double trial = start * power[step], error = expected_error(c, trial, table, last, per_unit);
    if (error < least) { best = trial; least = error; }
  }
  double low = best / ratio, high = best * ratio;
  double left = high - GOLDEN * (high - low), right = low + GOLDEN * (high - low);
  double at_left = expected_error(c, left, table, last, per_unit), at_right = expected_error(c, right, table, last, per_unit);
  for (int i = 0; i < REFINEMENTS; i++) {
    const bool down = at_left < at_right;
    if (down) { high = right; right = left; at_right = at_left; left = high - GOLDEN * (high - low); }
    else { low = left; left = right; at_left = at_right; right = low + GOLDEN * (high - low); }
    const double error = expected_error(c, down ? left : right, table, last, per_unit);
    if (down) at_left = error;
    else at_right = error;
  }
  if ((at_right < at_left ? at_right : at_left) < least) best = at_left < at_right ? left : right;
  return best;
}

// A thread a column of a block: its scale, its targets and how many of them are clearly outside their bank's range.
// `column`: first place and rows of each; `largest`: the weight that decides where the search begins.
KERNEL(aims, 128)(const double *weight, const double *reach, int64_t places, int64_t stride, const int64_t *column, int64_t columns,
                  const double *largest, const double *power, const double *table, int last, double per_unit, double *scale,
                  int *missed, double *target) {
  EACH_PLACE(j, columns) {
    const int64_t first = column[2 * j];
    const Column c{weight + first, reach + first, places, stride, (int)column[2 * j + 1]};
    const double found = best_scale(c, START * median_deviation(c) / largest[j], power, table, last, per_unit);
    int outside = 0;
    for (int r = 0; r < c.rows; r++) {
      const int64_t p = r * stride;
      const double goal = c.weight[p] * found, deviation = c.reach[places + p];
      const double low = c.reach[2 * places + p], high = c.reach[3 * places + p];
      const double slack = 1e-9 * (((low < 0.0 ? -low : low) + (high < 0.0 ? -high : high)) + deviation);
      outside += goal < low - slack || goal > high + slack;
      target[first + p] = goal;
    }
    scale[j] = found;
    missed[j] = outside;
  }
}

// What the chosen resistors add up to, in the order in which numpy adds up so few numbers, and the switches as a
// program stores them: `bytes` for each of the two cells. Where no weight is (no number), no switch is closed.
KERNEL(closed, 256)(const double *bank, const double *weight, const unsigned *mask, int64_t places, int elements, double *achieved,
                    unsigned char *packed) {
  const int k = elements / 2, bytes = (k + 7) / 8;
  EACH_PLACE(p, places) {
    const unsigned m = weight[p] == weight[p] ? mask[p] : 0u;
    const double *g = bank + p * elements;
#define VALUE(E) ((m >> (E)) & 1 ? g[E] : 0.0)
    double sum = 0.0;
    int e = 0;
    if (elements >= 8) {
      double r[8];
      UNROLL for (int i = 0; i < 8; i++) r[i] = VALUE(i);
      for (e = 8; e + 8 <= elements; e += 8) {
        UNROLL for (int i = 0; i < 8; i++) r[i] += VALUE(e + i);
      }
      sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
    }
    for (; e < elements; e++) sum += VALUE(e);
    achieved[p] = 0.0 + sum;
    for (int cell = 0; cell < 2; cell++) {
      const unsigned own = (m >> (cell * k)) & ((1u << k) - 1u);
      for (int i = 0; i < bytes; i++) packed[(2 * p + cell) * bytes + i] = (unsigned char)(own >> (8 * i));
    }
  }
}

// Conductances of a chip's tiles, with the bits of xbar/hardware/draw_kernel.py.
//
// Nothing may be fused but the fma() written out (-fmad=false, -ffp-contract=off).
// Philox-4x64-10: block b of tile t is the counter (b + 1, t, 0, 0) under the key (seed, stream).
// J. K. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
#include "portable.h"

constexpr double LN2_HIGH = 6.93147180369123816490e-01, LN2_LOW = 1.90821492927058770002e-10;
constexpr double INVERSE_LN2 = 1.0 / (LN2_HIGH + LN2_LOW);
constexpr double SQRT_HALF = 0.70710678118654757;
constexpr double FLOOR = 0.01;  // of a normal spread's factor
constexpr int BLOCK = 256;      // threads, each making the four numbers of one counter

struct Four { uint64_t x[4]; };
DEVICE Four philox(uint64_t block, uint64_t tile, uint64_t key0, uint64_t key1) {
  uint64_t c0 = block + 1, c1 = tile, c2 = 0, c3 = 0;
  UNROLL for (int r = 0; r < 10; r++) {
    const uint64_t h0 = upper_product(0xD2E7470EE14C6C93ull, c0), l0 = 0xD2E7470EE14C6C93ull * c0;
    const uint64_t h1 = upper_product(0xCA5A826395121157ull, c2), l1 = 0xCA5A826395121157ull * c2;
    c0 = h1 ^ c1 ^ key0; c1 = l1; c2 = h0 ^ c3 ^ key1; c3 = l0;
    key0 += 0x9E3779B97F4A7C15ull; key1 += 0xBB67AE8584CAA73Bull;
  }
  return {{c0, c1, c2, c3}};
}
// (n + 1/2) / 2^52 of the upper 52 bits n: both sums are exact
DEVICE double uniform(uint64_t raw) {
  return (bits_as_double((int64_t)((raw >> 12) | 0x3FF0000000000000ull)) - 1.0) + 0x1p-53;
}

// x / C for a small whole number, correctly rounded: P. Markstein, "Computation of elementary
// functions on the IBM RISC System/6000", IBM J. Res. Dev. 34 (1990)
template <int C> DEVICE double over(double x) {
  if constexpr ((C & (C - 1)) == 0) return x * (1.0 / C);
  else {
    constexpr double inverse = 1.0 / C;
    const double quotient = x * inverse;
    return fma(fma(-(double)C, quotient, x), inverse, quotient);
  }
}

// Wichura's AS 241, as in xbar/hardware/as241.py
TABLE double CENTRE[2][8] = {
  {2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4, 4.5921953931549871457e4,
   1.3731693765509461125e4, 1.9715909503065514427e3, 1.3314166789178437745e2, 3.3871328727963666080e0},
  {5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4, 2.1213794301586595867e4,
   5.3941960214247511077e3, 6.8718700749205790830e2, 4.2313330701600911252e1, 1.0}};
TABLE double MIDDLE[2][8] = {
  {7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1, 1.27045825245236838258e0,
   3.64784832476320460504e0, 5.76949722146069140550e0, 4.63033784615654529590e0, 1.42343711074968357734e0},
  {1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2, 1.48103976427480074590e-1,
   6.89767334985100004550e-1, 1.67638483018380384940e0, 2.05319162663775882187e0, 1.0}};
TABLE double TAIL[2][8] = {
  {2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3, 2.65321895265761230930e-2,
   2.96560571828504891230e-1, 1.78482653991729133580e0, 5.46378491116411436990e0, 6.65790464350110377720e0},
  {2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5, 7.86869131145613259100e-4,
   1.48753612908506148525e-2, 1.36929880922735805310e-1, 5.99832206555887937690e-1, 1.0}};

DEVICE double ratio(const double (&table)[2][8], double x) {
  double top = table[0][0], bottom = table[1][0];
  UNROLL for (int i = 1; i < 8; i++) { top = top * x + table[0][i]; bottom = bottom * x + table[1][i]; }
  return top / bottom;
}
DEVICE bool is_far(double u) {
  const double q = u - 0.5;
  return (q < 0 ? -q : q) > 0.425;
}
DEVICE double centre(double u) {
  const double q = u - 0.5;
  return q * ratio(CENTRE, 0.180625 - q * q);
}
template <int ODD> DEVICE double atanh_series(double series, double square) {
  series = series * square + 1.0 / ODD;
  if constexpr (ODD > 1) return atanh_series<ODD - 2>(series, square);
  else return series;
}
DEVICE double far(double u) {
  double tail = u < 0.5 ? u : 0.5 - (u - 0.5);
  const int64_t bits = double_as_bits(tail);
  double k = (double)(int)((bits >> 52) - 1022);
  tail = bits_as_double((bits & ((1ll << 52) - 1)) | (1022ll << 52));
  const bool low = tail < SQRT_HALF;
  k = low ? k - 1.0 : k;
  const double fraction = low ? 2.0 * tail : tail;
  const double s = (fraction - 1.0) / (fraction + 1.0);
  const double log = k * LN2_HIGH + (2.0 * s * atanh_series<25>(0.0, s * s) + k * LN2_LOW);
  const double r = sqrt(-log);
  const double result = r <= 5.0 ? ratio(MIDDLE, r - 1.6) : ratio(TAIL, r - 5.0);
  return u < 0.5 ? -result : result;
}
template <int C> DEVICE double taylor(double series, double rest) {
  series = over<C>(series * rest) + 1.0;
  if constexpr (C > 1) return taylor<C - 1>(series, rest);
  else return series;
}
DEVICE double exp_scaled(double z, double sigma) {
  const double x = sigma * z;
  const double shifted = x * INVERSE_LN2 + 0x1.8p52;  // the nearest whole number, ties to even, is in its low bits
  const double k = shifted - 0x1.8p52;
  const double rest = (x - k * LN2_HIGH) - k * LN2_LOW;
  const int64_t power = ((int64_t)(int)double_as_bits(shifted) + 1023) << 52;
  return taylor<15>(1.0, rest) * bits_as_double(power);
}

enum Law { NORMAL, LOGNORMAL, UNIFORM };
// `width`: sigma; of a uniform law half the width, sqrt(3) sigma
template <int LAW> DEVICE double conductance(double z, double width, double nominal) {
  if constexpr (LAW == UNIFORM) return nominal * (1.0 + width * (2.0 * z - 1.0));
  else if constexpr (LAW == LOGNORMAL) return nominal * exp_scaled(z, width);
  else {
    const double factor = 1.0 + width * z;
    return nominal * (factor > FLOOR ? factor : FLOOR);
  }
}

struct Order {  // of the resistors in a tile: `elements` of a cell, negated from `negative_from` on in each `period`
  int count, elements, negative_from, period;
};
template <int LAW>
DEVICE void store(const double (&z)[4], int first, const Order &order, const double *nominal, const double *width, double *out) {
  double g[4];
  UNROLL for (int i = 0; i < 4; i++) {
    const int at = first + i, e = at % order.elements;
    g[i] = conductance<LAW>(z[i], width[e], nominal[e]);
    if (at % order.period >= order.negative_from) g[i] = -g[i];
  }
#ifdef __CUDACC__
  if (first + 3 < order.count && (uint64_t)(out + first) % 16 == 0) {
    *(double2 *)(out + first) = make_double2(g[0], g[1]);
    *(double2 *)(out + first + 2) = make_double2(g[2], g[3]);
    return;
  }
#endif
  UNROLL for (int i = 0; i < 4; i++) if (first + i < order.count) out[first + i] = g[i];
}

// Grid: 4 x 256 resistors of a tile, tiles. The 15 % of the normal numbers that are in the tails are gathered and
// shared among all threads: else nearly every warp would go both ways.
template <int LAW>
DEVICE void draw(uint64_t seed, uint64_t stream, uint64_t first_tile, const Order &order, const double *nominal, const double *width, double *out) {
  out += (int64_t)BLOCK_Y * order.count;
  const uint64_t tile = first_tile + BLOCK_Y;
#ifdef __CUDACC__
  __shared__ double value[4 * BLOCK];
  __shared__ int places[4 * BLOCK];
  __shared__ int found;
  const int t = THREAD, block = BLOCK_X * BLOCK + t;
  if (t == 0) found = 0;
  BARRIER;
  const Four bits = philox((uint64_t)block, tile, seed, stream);
  double z[4];
  UNROLL for (int i = 0; i < 4; i++) {
    const double u = uniform(bits.x[i]);
    if constexpr (LAW == UNIFORM) { z[i] = u; continue; }
    z[i] = centre(u);
    if (is_far(u)) {
      places[atomicAdd(&found, 1)] = i * BLOCK + t;
      value[i * BLOCK + t] = u;
    }
  }
  if constexpr (LAW != UNIFORM) {
    BARRIER;
    for (int j = t; j < found; j += BLOCK) value[places[j]] = far(value[places[j]]);
    BARRIER;
    UNROLL for (int i = 0; i < 4; i++) if (is_far(uniform(bits.x[i]))) z[i] = value[i * BLOCK + t];
  }
  if (4 * block < order.count) store<LAW>(z, 4 * block, order, nominal, width, out);
#else
  for (int block = BLOCK_X * BLOCK; block < (int)(BLOCK_X + 1) * BLOCK && 4 * block < order.count; block++) {
    const Four bits = philox((uint64_t)block, tile, seed, stream);
    double z[4];
    for (int i = 0; i < 4; i++) {
      const double u = uniform(bits.x[i]);
      z[i] = LAW == UNIFORM ? u : is_far(u) ? far(u) : centre(u);
    }
    store<LAW>(z, 4 * block, order, nominal, width, out);
  }
#endif
}

#define DRAW(NAME, LAW)                                                                             \
  KERNEL(NAME, BLOCK)(uint64_t seed, uint64_t stream, uint64_t first_tile, int count, int elements, \
                      int negative_from, int period, const double *nominal, const double *width,    \
                      double *out) {                                                                \
    draw<LAW>(seed, stream, first_tile, Order{count, elements, negative_from, period}, nominal,     \
              width, out);                                                                          \
  }
DRAW(draw_normal, NORMAL)
DRAW(draw_lognormal, LOGNORMAL)
DRAW(draw_uniform, UNIFORM)

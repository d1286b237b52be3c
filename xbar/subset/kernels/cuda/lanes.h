// Closest subset sums in lock-step: 32 problems a block, one a lane; rows of 32 integers in shared memory.
//
// The bitonic method of xbar/subset/kernels/{lockstep,narrow}.py on rows of int32 (28 or 29 bits of value) or of
// int64 (59 bits). A phase is a function of (task, lane): on a card a warp does a task and a barrier ends the
// phase, in plain C++ two loops do. No state goes from phase to phase but in shared memory.
#pragma once
#include "portable.h"

#ifndef __CUDACC__
using std::max;
using std::min;
#endif

constexpr int LANES = 32;
template <typename I> using Row = I[LANES];
template <typename I> struct Unsigned;
template <> struct Unsigned<int> { typedef uint32_t type; };
template <> struct Unsigned<int64_t> { typedef uint64_t type; };

struct Ones { int plus, minus; };  // 1 and -1, unknown to the compiler: multiply-adds stay what they are

// One compare-exchange. Minimum and maximum go to the integer pipe (64 lanes a clock on Hopper);
// the maximum as a + b - minimum goes to the multiply-add pipe instead, which is idle otherwise.
template <bool BY_SUM> DEVICE void order(int &a, int &b, Ones o) {
  int low = min(a, b);
  b = BY_SUM ? (int)((uint32_t)low * (uint32_t)o.minus + ((uint32_t)a * (uint32_t)o.plus + (uint32_t)b)) : max(a, b);
  a = low;
}
template <bool> DEVICE void order(int64_t &a, int64_t &b, Ones) {
  bool less = a < b;
  int64_t low = less ? a : b;
  b = less ? b : a;
  a = low;
}
DEVICE int least(int a, int b) { return min(a, b); }
DEVICE int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
DEVICE uint32_t least(uint32_t a, uint32_t b) { return min(a, b); }
DEVICE uint64_t least(uint64_t a, uint64_t b) { return a < b ? a : b; }
DEVICE uint32_t least(uint32_t a, uint32_t b, uint32_t c) {
#ifdef __CUDACC__
  return __vimin3_u32(a, b, c);
#else
  return min(a, min(b, c));
#endif
}
DEVICE uint64_t least(uint64_t a, uint64_t b, uint64_t c) { return least(a, least(b, c)); }
DEVICE void lower(int *place, int value) {  // several tasks may find a subset: the lowest counts
#ifdef __CUDACC__
  atomicMin(place, value);
#else
  *place = min(*place, value);
#endif
}

// MIX: of three compare-exchanges so many take their maximum by a sum
template <typename I, int N, int MIX> DEVICE void sort_bitonic(I (&r)[N], Ones o) {
  UNROLL for (int step = N / 2; step > 0; step /= 2) {
    UNROLL for (int i = 0; i < N; i++)
      if (!(i & step)) {
        if (i % 3 < MIX) order<true>(r[i], r[i + step], o);
        else order<false>(r[i], r[i + step], o);
      }
  }
}

template <typename I, int E> DEVICE I double_in_place(const Row<I> *key, int lane, I total, I (&r)[32], Ones o) {
  constexpr int N = 1 << E;
  I half[N];
  total += key[E][lane];
  UNROLL for (int i = 0; i < N; i++) half[i] = least(r[i], (I)(total - r[i]));
  sort_bitonic<I, N, 0>(half, o);
  UNROLL for (int i = 0; i < N; i++) { r[i] = half[i]; r[2 * N - 1 - i] = total - half[i]; }
  return total;
}
// The sorted sums of 5 keys, 32; then the lower half of those of 6. Totals of 6 and more keys to `totals`.
template <typename I, int H, int MIX> DEVICE void start_list(const Row<I> *key, Row<I> *totals, int lane, I (&r)[32], Ones o) {
  r[0] = 0;
  I total = double_in_place<I, 0>(key, lane, 0, r, o);
  total = double_in_place<I, 1>(key, lane, total, r, o);
  total = double_in_place<I, 2>(key, lane, total, r, o);
  total = double_in_place<I, 3>(key, lane, total, r, o);
  total = double_in_place<I, 4>(key, lane, total, r, o);
  total += key[5][lane];
  UNROLL for (int i = 0; i < 32; i++) r[i] = least(r[i], (I)(total - r[i]));
  sort_bitonic<I, 32, MIX>(r, o);
  totals[0][lane] = total;
  UNROLL for (int e = 6; e < H; e++) totals[e - 5][lane] = total += key[e][lane];
}

// Doubling: from the lower half of a list of 2^E sums (rows `from`, their sum `total`) to that of
// 2^(E+1) (rows `to`), sorted but for the last five steps. Tasks k = 0 .. 15: rows k and 31 - k modulo 32.
template <typename I, int E, int MIX> DEVICE void fold(const Row<I> *from, Row<I> *to, I total, I element, int k, int lane, Ones o) {
  constexpr int G = 1 << (E - 5);  // groups at a stride of 32
  I a[G], b[G];                    // rows k + 32 g and 31 - k + 32 g
  UNROLL for (int g = 0; g < G / 2; g++) {
    I x = from[k + 32 * g][lane], y = from[31 - k + 32 * g][lane];
    a[g] = x;
    b[g] = y;
    a[G - 1 - g] = least((I)(total - y), (I)(element + y));
    b[G - 1 - g] = least((I)(total - x), (I)(element + x));
  }
  sort_bitonic<I, G, MIX>(a, o);
  sort_bitonic<I, G, MIX>(b, o);
  UNROLL for (int g = 0; g < G; g++) { to[k + 32 * g][lane] = a[g]; to[31 - k + 32 * g][lane] = b[g]; }
}

template <typename I, int MIX> DEVICE void finish(Row<I> *at, int lane, Ones o) {
  I r[32];
  UNROLL for (int i = 0; i < 32; i++) r[i] = at[i][lane];
  sort_bitonic<I, 32, MIX>(r, o);
  UNROLL for (int i = 0; i < 32; i++) at[i][lane] = r[i];
}

// The merge of list a with goal - list b, all but the last five steps. In place: the lower halves of
// the lists lie at x[0 ..] and x[2^H ..], the 2^(H+1) rows go to x.
template <typename I, int H, int MIX> DEVICE void split(Row<I> *x, I total_a, I total_b, I goal, int k, int lane, Ones o) {
  constexpr int G = 1 << (H - 5), N = 1 << H;
  I low[G], high[G], low2[G], high2[G];
  I rest = goal - total_b;
  UNROLL for (int g = 0; g < G / 2; g++) {
    I u = x[k + 32 * g][lane], v = x[N + k + 32 * g][lane];
    I p = x[31 - k + 32 * g][lane], q = x[N + 31 - k + 32 * g][lane];
    low[g] = u; high[g] = goal - v;
    low2[g] = p; high2[g] = goal - q;
    low2[G - 1 - g] = total_a - u; high2[G - 1 - g] = rest + v;
    low[G - 1 - g] = total_a - p; high[G - 1 - g] = rest + q;
  }
  UNROLL for (int g = 0; g < G; g++) { order<(MIX > 0)>(low[g], high[g], o); order<(MIX > 0)>(low2[g], high2[g], o); }
  sort_bitonic<I, G, MIX>(low, o); sort_bitonic<I, G, MIX>(high, o);
  sort_bitonic<I, G, MIX>(low2, o); sort_bitonic<I, G, MIX>(high2, o);
  UNROLL for (int g = 0; g < G; g++) {
    x[k + 32 * g][lane] = low[g]; x[N + k + 32 * g][lane] = high[g];
    x[31 - k + 32 * g][lane] = low2[g]; x[N + 31 - k + 32 * g][lane] = high2[g];
  }
}

// Of two neighbours, what is compared: their distance where one is of each list (it is odd then),
// else that with the highest bit set. One multiply-add, or two operations on the upper word.
DEVICE uint32_t apart(int upper, int lower) { return (uint32_t)(upper - lower) * 0x80000001u + 0x80000000u; }
DEVICE uint64_t apart(int64_t upper, int64_t lower) { uint64_t d = upper - lower; return d ^ (~d << 63); }

// Last five steps of the merge, and the least distance of neighbours within the 32 rows.
template <typename I, int MIX> DEVICE void finish_and_scan(Row<I> *at, I *best, int lane, Ones o) {
  I r[32];
  UNROLL for (int i = 0; i < 32; i++) r[i] = at[i][lane];
  sort_bitonic<I, 32, MIX>(r, o);
  auto m = apart(r[1], r[0]);
  UNROLL for (int i = 1; i < 31; i += 2) m = least(m, apart(r[i + 1], r[i]), apart(r[i + 2], r[i + 1]));
  UNROLL for (int i = 0; i < 32; i++) at[i][lane] = r[i];
  best[lane] = (I)m;
}

struct Found { int row; bool sure; };

// The first closest pair among all rows and whether it is the closest by more than the margin.
template <typename I, int H> DEVICE Found closest(const Row<I> *x, const Row<I> *segment, I margin, int lane) {
  typedef typename Unsigned<I>::type U;
  constexpr int S = 1 << (H - 4);
  U best = ~(U)0, second = ~(U)0;
  int where = 0;
  UNROLL for (int s = 0; s < S; s++) {
    U m = (U)segment[s][lane];
    if (s + 1 < S) m = least(m, apart(x[32 * s + 32][lane], x[32 * s + 31][lane]));
    second = least(second, m < best ? best : m);
    if (m < best) { best = m; where = s; }
  }
  const Row<I> *at = x + 32 * where;
  U one = ~(U)0;
  int row = 0;
  I under = at[0][lane];
  const int last = where + 1 < S ? 32 : 31;  // pairs in this segment
  UNROLL for (int i = 0; i < 32; i++) {
    I upper = at[i < last ? i + 1 : i][lane];
    U m = apart(upper, under);
    second = least(second, m < one ? one : m);
    if (m < one) { one = m; row = i; }
    under = upper;
  }
  row += 32 * where;
  bool sure = (I)one >= 0 && second - one > (U)margin;
  if (row > 0) sure = sure && x[row][lane] - x[row - 1][lane] > margin;
  if (row + 2 < 32 * S) sure = sure && x[row + 2][lane] - x[row + 1][lane] > margin;
  return {row, sure};
}

// The lowest subset whose sum is `wanted`, of 4 low elements and HIGH high ones; `shift` bits of a key
// are no value. 32 bits: sums moved up by 4 bits with the low subset's number below, modulo 2^32, so
// one fused add-and-minimum tests one; who calls this adds up the elements again.
template <int HIGH> DEVICE void find(const Row<int> *key, int, int wanted, int part, int parts, int *code, int lane) {
  uint32_t low[16];
  low[0] = 0;
  UNROLL for (int i = 1; i < 16; i++) {
    const int e = i & 1 ? 0 : i & 2 ? 1 : i & 4 ? 2 : 3;
    low[i] = low[i & (i - 1)] + ((uint32_t)key[e][lane] << 3) + (1u << e);
  }
  const int each = (1 << HIGH) / parts;
  for (int t = 0; t < each; t++) {
    int j = part * each + t;
    uint32_t rest = -(uint32_t)wanted;
    UNROLL for (int e = 0; e < HIGH; e++) rest += ((j >> e) & 1) ? (uint32_t)key[4 + e][lane] : 0u;
    rest <<= 3;
    uint32_t m = 0xFFFFFFFFu;
    UNROLL for (int i = 0; i < 16; i++) m = min(m, low[i] + rest);
    if (m < 16u) lower(code + lane, (int)(m | ((uint32_t)j << 4)));
  }
}
template <int HIGH> DEVICE void find(const Row<int64_t> *key, int, int64_t wanted, int part, int parts, int *code, int lane) {
  int64_t low[16];
  low[0] = 0;
  UNROLL for (int i = 1; i < 16; i++) low[i] = low[i & (i - 1)] + key[i & 1 ? 0 : i & 2 ? 1 : i & 4 ? 2 : 3][lane];
  const int each = (1 << HIGH) / parts;
  for (int t = 0; t < each; t++) {
    int j = part * each + t, m = 16;
    int64_t rest = wanted;
    UNROLL for (int e = 0; e < HIGH; e++) rest -= ((j >> e) & 1) ? key[4 + e][lane] : 0;
    UNROLL for (int i = 15; i >= 0; i--) if (low[i] == rest) m = i;
    if (m < 16) lower(code + lane, m | (j << 4));
  }
}

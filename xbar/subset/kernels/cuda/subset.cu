// Closest subset sums of banks of ELEMENTS: `narrow` in 32 bits, `wide` in 64 for what those leave open, and
// `exact`, a block a problem, for banks whose lists of 64 bits don't fit into shared memory. See lanes.h.
//
// Masks and sums have the bits of xbar/subset/kernels/lockstep.py. What a block takes is decided in
// xbar/subset/on_device.py and asserted here: NARROW_WARPS, NARROW_BLOCKS, NARROW_BYTES and those of WIDE.
#include "lanes.h"

// ---- scaling: xbar/subset/kernels/{scale,lanes}.py ------------------------------------------------------
struct Scale { double one, other; };  // a power of two in two factors, as it may overflow

DEVICE Scale scale_of(double span) {
  int64_t exponent = double_as_bits(span) >> 52;
  if (exponent < 1) exponent = 1;
  const int64_t shift = 59 + 1022 - exponent, first = shift >> 1;
  return {bits_as_double((first + 1023) << 52), bits_as_double((shift - first + 1023) << 52)};
}
DEVICE int64_t integer(double v, Scale s) { return nearest(times(times(v, s.one), s.other)); }

#if ELEMENTS >= 11 && ELEMENTS <= 18
template <typename I, int K> struct Keys;
template <int K> struct Keys<int, K> {
  // 29 bits of value where all elements are real; 28 where one more key stands for none
  static constexpr int DROP = K % 2 ? 31 : 30, NONE = (1 << 30) - 2, MARGIN = 2 * (K + 2);
  MEMBER static int of(int64_t v) { return 2 * (int)((v + (1ll << (DROP - 1))) >> DROP); }
};
template <int K> struct Keys<int64_t, K> {
  static constexpr int64_t NONE = 1ll << 62, MARGIN = -1;
  MEMBER static int64_t of(int64_t v) { return 4 * v; }
};

template <typename I, int K> struct Shared {
  static constexpr int H = (K + 1) / 2, N = 1 << H, SPARE = N / 2, FIRST = (H - 6) % 2 ? SPARE : 0;
  Row<I> x[2 * N];
  Row<I> segment[2 * N / 32];
  Row<I> key[2 * H];
  double g[K * 33];
  Row<int64_t> wanted;
  Row<double> factor[2];
  Row<I> total[2][H - 5], goal, row_a, row_b;
  Row<int> flips, code_a, code_b, sure;
  MEMBER int64_t *value() { return (int64_t *)(x + SPARE - FIRST); }  // (K, 32) while the first lists are made
};

// The scale, which follows from all elements, added up in their order; the goal so far.
template <typename I, int K> DEVICE void span(Shared<I, K> &s, double target, int lane) {
  double g[K], below = 0.0, above = 0.0;
  int flips = 0;
  UNROLL for (int e = 0; e < K; e++) g[e] = s.g[e * 33 + lane];
  UNROLL for (int e = 0; e < K; e++) {
    bool negative = g[e] < 0.0;
    below = plus(below, negative ? g[e] : 0.0);
    above = plus(above, negative ? 0.0 : g[e]);
    flips |= (int)negative << e;
  }
  Scale f = scale_of(plus(above, -below));
  double clipped = target < below ? below : target;
  clipped = clipped > above ? above : clipped;
  s.factor[0][lane] = f.one;
  s.factor[1][lane] = f.other;
  s.wanted[lane] = integer(clipped, f);
  s.flips[lane] = flips;
}
template <typename I, int K> DEVICE void scale(Shared<I, K> &s, int e, int lane) {
  if (e >= K) { s.key[e][lane] = Keys<I, K>::NONE; return; }
  Scale f{s.factor[0][lane], s.factor[1][lane]};
  double real = s.g[e * 33 + lane];
  int64_t v = integer(real < 0.0 ? -real : real, f);
  s.value()[e * 32 + lane] = v;
  s.key[e][lane] = Keys<I, K>::of(v);
}
template <typename I, int K> DEVICE void set_goal(Shared<I, K> &s, int lane) {
  int64_t total = 0, wanted = s.wanted[lane];
  UNROLL for (int e = 0; e < K; e++) {
    int64_t v = s.value()[e * 32 + lane];
    total += v;
    if ((s.flips[lane] >> e) & 1) wanted += v;
  }
  if (wanted < 0) wanted = 0;
  if (wanted > total) wanted = total;
  s.goal[lane] = Keys<I, K>::of(wanted) + 1;
}
template <typename I, int K> DEVICE void judge(Shared<I, K> &s, int lane) {
  Found f = closest<I, Shared<I, K>::H>(s.x, s.segment, (I)Keys<I, K>::MARGIN, lane);
  I under = s.x[f.row][lane], upper = s.x[f.row + 1][lane];
  bool odd = under & 1;
  s.row_a[lane] = odd ? upper : under;
  s.row_b[lane] = s.goal[lane] - (odd ? under : upper);
  s.sure[lane] = f.sure;
  s.code_a[lane] = s.code_b[lane] = 1 << 30;
}
// The mask of the signed choice and its sum; whether it is sure.
template <typename I, int K> DEVICE bool settle(Shared<I, K> &s, int lane, uint32_t *mask, double *achieved) {
  constexpr int H = Shared<I, K>::H;
  const int a = s.code_a[lane], b = s.code_b[lane];
  I sum_a = 0, sum_b = 0;
  UNROLL for (int e = 0; e < H; e++) {
    sum_a += ((a >> e) & 1) ? s.key[e][lane] : 0;
    sum_b += ((b >> e) & 1) ? s.key[H + e][lane] : 0;
  }
  uint32_t m = ((uint32_t)a | ((uint32_t)b << H)) ^ (uint32_t)s.flips[lane];
  double total = 0.0;
  UNROLL for (int e = 0; e < K; e++) total = plus(total, ((m >> e) & 1) ? s.g[e * 33 + lane] : 0.0);
  *mask = m;
  *achieved = total;
  return s.sure[lane] && sum_a == s.row_a[lane] && sum_b == s.row_b[lane];
}

// All phases between load and settle. TASKS(n): a warp takes each of n tasks; BARRIER after a phase.
#define PHASES                                                                                       \
  TASKS(1) span<I, K>(s, TARGET, lane);                                                              \
  BARRIER;                                                                                           \
  TASKS(2 * H) scale<I, K>(s, task, lane);                                                           \
  BARRIER;                                                                                           \
  TASKS(3) {                                                                                         \
    if (task == 2) set_goal<I, K>(s, lane);                                                          \
    else {                                                                                           \
      I r[32];                                                                                       \
      start_list<I, H, MIX>(s.key + task * H, s.total[task], lane, r, o);                            \
      Row<I> *to = s.x + task * N + S::FIRST;                                                        \
      UNROLL for (int i = 0; i < 32; i++) to[i][lane] = r[i];                                        \
    }                                                                                                \
  }                                                                                                  \
  DOUBLE(6, S::FIRST)                                                                                \
  DOUBLE(7, (S::SPARE - S::FIRST))                                                                   \
  DOUBLE(8, S::FIRST)                                                                                \
  BARRIER;                                                                                           \
  TASKS(16) split<I, H, MIX>(s.x, s.total[0][H - 6][lane], s.total[1][H - 6][lane], s.goal[lane], task, lane, o); \
  BARRIER;                                                                                           \
  TASKS(2 * N / 32) finish_and_scan<I, MIX>(s.x + 32 * task, s.segment[task], lane, o);              \
  BARRIER;                                                                                           \
  TASKS(1) judge<I, K>(s, lane);                                                                     \
  BARRIER;                                                                                           \
  TASKS(2 * PARTS) {                                                                                 \
    int half = task >= PARTS;                                                                        \
    find<H - 4>(s.key + half * H, 0, half ? s.row_b[lane] : s.row_a[lane], half ? task - PARTS : task, PARTS, \
                half ? s.code_b : s.code_a, lane);                                                   \
  }                                                                                                  \
  BARRIER;
#define DOUBLE(E, FROM)                                                                              \
  if constexpr (H > E) {                                                                             \
    BARRIER;                                                                                         \
    TASKS_UNROLLED(32) {                                                                             \
      int list = task >> 4;                                                                          \
      fold<I, E, MIX>(s.x + list * N + (FROM), s.x + list * N + (S::SPARE - (FROM)), s.total[list][E - 6][lane], \
                      s.key[list * H + E][lane], task & 15, lane, o);                                \
    }                                                                                                \
    BARRIER;                                                                                         \
    TASKS(2 << (E - 5)) {                                                                            \
      int list = task >> (E - 5), part = task & ((1 << (E - 5)) - 1);                                \
      finish<I, MIX>(s.x + list * N + (S::SPARE - (FROM)) + 32 * part, lane, o);                     \
    }                                                                                                \
  }

#ifdef __CUDACC__
#define TASKS(COUNT) for (int task = warp; task < (COUNT); task += WARPS)
#define TASKS_UNROLLED(COUNT) \
  UNROLL for (int turn = 0, task = warp; turn < (COUNT) / WARPS; turn++, task += WARPS)
#define TARGET goal
#else
#define TASKS(COUNT) for (int task = 0; task < (COUNT); task++) for (int lane = 0; lane < 32; lane++)
#define TASKS_UNROLLED TASKS
#define TARGET target[number(lane)]
#endif

// Problems 0 to count - 1, or those listed in `these`. What isn't sure goes to `open`.
template <typename I, int K, int WARPS, int MIX, bool LISTED>
DEVICE void solve(const double *bank, const double *target, unsigned count, const unsigned *these, Ones o,
                  uint32_t *mask, double *achieved, unsigned *open, unsigned *opened) {
  typedef Shared<I, K> S;
  constexpr int H = S::H, N = S::N;
  constexpr int PARTS = WARPS / 2 > (1 << (H - 4)) ? (1 << (H - 4)) : WARPS / 2;
  ROOM(sizeof(S));
  S &s = *(S *)room;
  const unsigned groups = (count + 31) / 32;
  unsigned group = BLOCK_X;
#ifdef __CUDACC__
  constexpr int COUNT_OF_THREADS = 32 * WARPS, EACH = (32 * K + COUNT_OF_THREADS - 1) / COUNT_OF_THREADS;
  const int lane = THREAD & 31, warp = THREAD >> 5;
  double next[EACH], goal_next = 0.0;
#define FETCH(GROUP)                                                                                 \
  {                                                                                                  \
    UNROLL for (int i = 0; i < EACH; i++) {                                                          \
      unsigned n = i * COUNT_OF_THREADS + THREAD, at = (GROUP) * 32 + n / K;                         \
      if (at >= count) at = count - 1;                                                               \
      if (n < 32 * K) next[i] = bank[(uint64_t)(LISTED ? these[at] : at) * K + n % K];               \
    }                                                                                                \
    unsigned at = (GROUP) * 32 + lane;                                                               \
    if (at >= count) at = count - 1;                                                                 \
    goal_next = warp == 0 ? target[LISTED ? these[at] : at] : 0.0;                                   \
  }
  constexpr bool AHEAD = sizeof(I) == 4;  // the next group while this one is solved, if registers suffice
  if (AHEAD && group < groups) FETCH(group)
  for (; group < groups; group += BLOCKS_X) {
    if (!AHEAD) FETCH(group)
    UNROLL for (int i = 0; i < EACH; i++) {
      unsigned n = i * COUNT_OF_THREADS + THREAD;
      if (n < 32 * K) s.g[n % K * 33 + n / K] = next[i];
    }
    const double goal = goal_next;
    const unsigned following = group + BLOCKS_X;
    if (AHEAD && following < groups) FETCH(following)
    BARRIER;
    PHASES
    if (warp == 0 && group * 32 + lane < count) {
      const unsigned at = group * 32 + lane, p = LISTED ? these[at] : at;
      uint32_t chosen;
      double sum;
      const bool sure = settle<I, K>(s, lane, &chosen, &sum);
      mask[p] = chosen;
      achieved[p] = sum;
      if (!LISTED && !sure) open[atomicAdd(opened, 1u)] = p;
    }
    BARRIER;
  }
#else
  for (; group < groups; group += BLOCKS_X) {
    const auto number = [&](int lane) {
      const unsigned at = std::min(group * 32 + lane, count - 1);
      return LISTED ? these[at] : at;
    };
    for (int n = 0; n < 32 * K; n++) s.g[n % K * 33 + n / K] = bank[(uint64_t)number(n / K) * K + n % K];
    PHASES
    for (int lane = 0; lane < 32 && group * 32 + lane < count; lane++) {
      const unsigned p = number(lane);
      const bool sure = settle<I, K>(s, lane, mask + p, achieved + p);
      if (!LISTED && !sure) open[(*opened)++] = p;
    }
  }
#endif
}

static_assert(sizeof(Shared<int, ELEMENTS>) == NARROW_BYTES, "as many blocks as were counted on");
static_assert(sizeof(Shared<int64_t, ELEMENTS>) == WIDE_BYTES, "as many blocks as were counted on");

KERNEL(narrow, 32 * NARROW_WARPS, NARROW_BLOCKS)(
    const double *bank, const double *target, unsigned count, int plus_one, int minus_one, unsigned *mask, double *achieved,
    unsigned *open, unsigned *opened) {
  solve<int, ELEMENTS, NARROW_WARPS, 2, false>(bank, target, count, nullptr, Ones{plus_one, minus_one}, mask, achieved, open, opened);
}
#if ELEMENTS <= 16
KERNEL(wide, 32 * WIDE_WARPS, WIDE_BLOCKS)(
    const double *bank, const double *target, int plus_one, int minus_one, unsigned *mask, double *achieved,
    const unsigned *open, const unsigned *opened) {
  solve<int64_t, ELEMENTS, WIDE_WARPS, 0, true>(bank, target, *opened, open, Ones{plus_one, minus_one}, mask, achieved, nullptr, nullptr);
}
#endif
#endif  // ELEMENTS from 11 to 18

// ---- one problem a block: sorted sums of the second half, searched for each sum of the first --------------
struct Best { int64_t distance, sum_a; unsigned mask; };
DEVICE bool better(const Best &a, const Best &b) {
  if (a.distance != b.distance) return a.distance < b.distance;
  if (a.sum_a != b.sum_a) return a.sum_a < b.sum_a;
  return a.mask < b.mask;
}
// In masks the first half's subset counts more than the second's, as the lists are searched apart.
KERNEL(exact, EXACT_THREADS, EXACT_BLOCKS)(const double *bank, const double *target, unsigned *mask, double *achieved,
                             const unsigned *open, const unsigned *opened) {
  constexpr int K = ELEMENTS, SPLIT = (K + 1) / 2, REST = K - SPLIT, N = 1 << SPLIT, NB = 1 << REST;
  ROOM(EXACT_BYTES);
  static_assert(EXACT_BYTES == N * (sizeof(Best) + 8 + 4), "as large as counted on");
  Best *best = (Best *)room;
  int64_t *sum = (int64_t *)(best + N);  // sorted sums of the second half
  unsigned *which = (unsigned *)(sum + N);  // and their subsets
  SHARED double g[K];
  SHARED int64_t value[K], goal;
  SHARED unsigned flips;
  const unsigned problems = *opened;
  for (unsigned i = BLOCK_X; i < problems; i += BLOCKS_X) {
    const uint64_t p = open[i];
    BARRIER;
    for (int t = THREAD; t < K; t += THREADS) g[t] = bank[p * K + t];
    BARRIER;
    if (THREAD == 0) {
      double below = 0.0, above = 0.0, want = target[p];
      unsigned f = 0;
      ROLLED for (int e = 0; e < K; e++) {
        const bool negative = g[e] < 0.0;
        below = plus(below, negative ? g[e] : 0.0);
        above = plus(above, negative ? 0.0 : g[e]);
        f |= (unsigned)negative << e;
      }
      const Scale s = scale_of(plus(above, -below));
      int64_t negatives = 0, total = 0;
      ROLLED for (int e = 0; e < K; e++) {
        const int64_t v = integer(g[e] < 0.0 ? -g[e] : g[e], s);
        value[e] = v;
        total += v;
        negatives += g[e] < 0.0 ? v : 0;
      }
      want = want < below ? below : want;
      want = want > above ? above : want;
      const int64_t w = integer(want, s) + negatives;
      goal = w < 0 ? 0 : w > total ? total : w;
      flips = f;
    }
    BARRIER;
    for (int t = THREAD; t < N; t += THREADS) {
      int64_t b = t < NB ? 0 : 1ll << 62;
      for (int e = 0; e < REST; e++) b += t < NB && ((t >> e) & 1) ? value[SPLIT + e] : 0;
      sum[t] = b;
      which[t] = t;
    }
    for (int size = 2; size <= N; size *= 2)
      for (int step = size / 2; step > 0; step /= 2) {
        BARRIER;
        for (int t = THREAD; t < N; t += THREADS) {
          const int other = t ^ step;
          if (other < t) continue;
          const int64_t x = sum[t], y = sum[other];
          const unsigned u = which[t], v = which[other];
          const bool after = x > y || (x == y && u > v);
          if (after == ((t & size) == 0)) { sum[t] = y; sum[other] = x; which[t] = v; which[other] = u; }
        }
      }
    BARRIER;
    for (int t = THREAD; t < N; t += THREADS) {
      int64_t a = 0;
      for (int e = 0; e < SPLIT; e++) a += (t >> e) & 1 ? value[e] : 0;
      const int64_t wanted = goal - a;
      int first = 0;  // of the second half's sums that are at least what is wanted
      for (int step = N / 2; step > 0; step /= 2)
        if (first + step <= NB && sum[first + step - 1] < wanted) first += step;
      if (first < NB && sum[first] < wanted) first++;
      Best mine{1ll << 62, a, 0};
      if (first < NB) {
        const int64_t d = 4 * (sum[first] - wanted) - 1;
        mine.distance = d < 0 ? -d : d;
        mine.mask = (unsigned)t | (which[first] << SPLIT);
      }
      if (first > 0) {
        int at = first - 1;
        while (at > 0 && sum[at - 1] == sum[at]) at--;
        const int64_t d = 4 * (wanted - sum[at]) + 1;
        if (d < mine.distance) {
          mine.distance = d;
          mine.mask = (unsigned)t | (which[at] << SPLIT);
        }
      }
      best[t] = mine;
    }
    for (int step = N / 2; step > 0; step /= 2) {
      BARRIER;
      for (int t = THREAD; t < step; t += THREADS)
        if (better(best[t + step], best[t])) best[t] = best[t + step];
    }
    BARRIER;
    if (THREAD == 0) {
      const unsigned m = best[0].mask ^ flips;
      double total = 0.0;
      ROLLED for (int e = 0; e < K; e++) total = plus(total, ((m >> e) & 1) ? g[e] : 0.0);
      mask[p] = m;
      achieved[p] = total;
    }
  }
}

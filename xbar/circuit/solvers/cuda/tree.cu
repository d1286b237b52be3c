// Transfer matrices of many crossbars at once by a merge tree, in float64: xbar/circuit/solvers/merge_tree.py.
//
// leaf   a warp makes the 8 x 8 cells' conductances between 32 ports: word lines in closed form (each is a chain),
//        bit nodes eliminated one row after another. A lane holds one column of the 32 x 32 conductances in registers.
// join   a block of threads joins two neighbours: the shared nodes are eliminated by blocked star-mesh (only
//        positive numbers are added off the diagonal), then the ports get the products.
// Which blocks are joined when is decided in xbar/circuit/solvers/tree_plan.py.
#include "portable.h"

#ifdef __CUDACC__
#define UNROLL_BY_4 _Pragma("unroll 4")
#define SYNC_WARP __syncwarp()
#define EACH_LANE
#else
#define UNROLL_BY_4
#define SYNC_WARP
#define EACH_LANE for (int lane = 0; lane < 32; lane++)
static inline double rsqrt(double x) { return 1.0 / std::sqrt(x); }
#endif

// Where more digits than these are lost to a subtraction, the result is made no number, and the CPU, which has a
// method without subtractions, solves the tile.
constexpr double CANCELS = 1e3;   // ratio of what a pivot was to what is left of it
constexpr double SMALLEST = 1e-250;  // product of a chain's voltage ratios
DEVICE double no_number() { return bits_as_double(0x7FF8000000000000ll); }

constexpr int SIDE = 8, SLOT = 0, LEFT = 8, RIGHT = 16, TOP = 24;  // a leaf's 32 nodes: bit nodes in work, ports

struct Chains { double alpha[8][8], beta[8][8], left[8][8], right[8][8], across[8], bit[8][8], r[2][32], inverse[2]; };

// What one word line joins: its ends and the bit nodes, S_jk = alpha_j beta_k for j < k.
DEVICE void chain(Chains &s, int i, const double *cells, const double *word, const double *bit, bool at_right) {
  double g[8], w[8], L[8], R[8], rho[8];
  UNROLL for (int j = 0; j < 8; j++) { g[j] = cells[j]; w[j] = word[j]; s.bit[i][j] = bit[j]; }
  const double end = at_right ? 0.0 : w[7];
  const double own = at_right ? g[7] : 0.0;  // else the last cell hangs on the right port
  L[0] = w[0];
  UNROLL for (int k = 1; k < 8; k++) {
    double x = L[k - 1] + g[k - 1], d = 1.0 / (w[k] + x);
    L[k] = w[k] * x * d;
    rho[k - 1] = w[k] * d;
  }
  R[7] = 0.0;
  R[6] = at_right ? w[7] * g[7] / (w[7] + g[7]) : end;
  double ahead[8];  // volts at a node per volt at the one before
  ahead[7] = at_right ? w[7] / (w[7] + g[7]) : 0.0;
  UNROLL for (int k = 5; k >= 0; k--) {
    double x = R[k + 1] + g[k + 1], d = 1.0 / (w[k + 1] + x);
    R[k] = w[k + 1] * x * d;
    ahead[k + 1] = w[k + 1] * d;
  }
  double P = 1.0, v = w[0] / (w[0] + g[0] + R[0]);
  s.left[i][0] = g[0] * v;
  UNROLL for (int k = 0; k < 8; k++) {
    double gk = k == 7 ? own : g[k];
    if (k) { P *= rho[k - 1]; v *= ahead[k]; s.left[i][k] = gk * v; }
    s.alpha[i][k] = gk / P;
    s.beta[i][k] = (k == 7 && !at_right) ? 0.0 : gk * P / (L[k] + g[k] + R[k]);
    if (k == 6) s.across[i] = at_right ? 0.0 : end * v;
  }
  if (!(P > SMALLEST)) s.alpha[i][0] = no_number();
  double u = at_right ? 0.0 : end / (end + L[6] + g[6]);
  s.right[i][7] = at_right ? 0.0 : g[7];
  UNROLL for (int k = 6; k >= 0; k--) {
    s.right[i][k] = g[k] * u;
    if (k) u *= rho[k - 1];
  }
}

template <int BASE> DEVICE void add_line(const Chains &s, int i, int lane, double (&a)[32]) {
  double sum = 0.0;
  const int j = lane - BASE;
  if (j >= 0 && j < 8) {
    double own_a = s.alpha[i][j], own_b = s.beta[i][j], l = s.left[i][j], r = s.right[i][j];
    UNROLL for (int k = 0; k < 8; k++) {
      double v = k < j ? s.alpha[i][k] * own_b : k > j ? own_a * s.beta[i][k] : 0.0;
      a[BASE + k] += v;
      sum += v;
    }
    sum += l + r;
    UNROLL for (int k = 0; k < 8; k++) {
      if (k == i) { a[LEFT + k] += l; a[RIGHT + k] += r; }
      if (k == j) a[BASE + k] -= sum;
    }
  } else if (lane == LEFT + i || lane == RIGHT + i) {
    const bool is_left = lane < RIGHT;
    const double x = s.across[i];
    UNROLL for (int k = 0; k < 8; k++) {
      double v = is_left ? s.left[i][k] : s.right[i][k];
      a[BASE + k] += v;
      sum += v;
    }
    sum += x;
    UNROLL for (int k = 0; k < 8; k++)
      if (k == i) {
        a[LEFT + k] += is_left ? -sum : x;
        a[RIGHT + k] += is_left ? x : -sum;
      }
  }
}

#ifdef __CUDACC__
#define A_OF_LANE a
#else
#define A_OF_LANE all[lane]
#endif

// Eliminates bit node P of row i: its place goes to the node below.
template <int P> DEVICE void pivot(Chains &s, int i,
#ifdef __CUDACC__
  int lane, double (&a)[32], bool &fine
#else
  double (&all)[32][32], bool &fine
#endif
) {
  const double D = s.bit[i][P];
  double *r = s.r[P & 1];
  EACH_LANE {
    r[lane] = A_OF_LANE[P];
    // column P itself is multiplied by 1 - S / (S + D), S being minus its diagonal
    if (lane == P) {
      s.inverse[P & 1] = 1.0 / (D - A_OF_LANE[P]);
      fine = fine && -A_OF_LANE[P] <= CANCELS * D;  // beside the way from pivot to pivot
    }
  }
  SYNC_WARP;
  EACH_LANE {
    const double f = A_OF_LANE[P] * s.inverse[P & 1];
    UNROLL for (int k = 0; k < 32; k++)
      if (k != P) A_OF_LANE[k] += r[k] * f;
    A_OF_LANE[P] = D * f;
  }
}

DEVICE void leaf(Chains &s, bool at_top, double *out
#ifdef __CUDACC__
  , int lane
#endif
) {
#ifdef __CUDACC__
  double a[32];
  UNROLL for (int k = 0; k < 32; k++) a[k] = 0.0;
#define ARGS lane, a, fine
#else
  static double all[32][32];
  for (auto &row : all) for (double &x : row) x = 0.0;
#define ARGS all, fine
#endif
  bool fine = true;
  if (!at_top) {
    EACH_LANE {
      add_line<TOP>(s, 0, lane, A_OF_LANE);
      UNROLL for (int k = 0; k < 8; k++) {
        double D = s.bit[0][k];
        if (lane == SLOT + k) { A_OF_LANE[TOP + k] += D; A_OF_LANE[SLOT + k] -= D; }
        if (lane == TOP + k) { A_OF_LANE[SLOT + k] += D; A_OF_LANE[TOP + k] -= D; }
      }
    }
  }
  for (int i = at_top ? 0 : 1; i < 8; i++) {
    EACH_LANE add_line<SLOT>(s, i, lane, A_OF_LANE);
    SYNC_WARP;
    pivot<0>(s, i, ARGS); pivot<1>(s, i, ARGS); pivot<2>(s, i, ARGS); pivot<3>(s, i, ARGS);
    pivot<4>(s, i, ARGS); pivot<5>(s, i, ARGS); pivot<6>(s, i, ARGS); pivot<7>(s, i, ARGS);
  }
  EACH_LANE {
    UNROLL for (int k = 0; k < 32; k++) out[k * 32 + lane] = fine ? A_OF_LANE[k] : no_number();
  }
}

// A join as the host plans it; the same for all tiles. Ints at `map`:
// place of each port of the first child (-1: none), of the second; source of each port that stays;
// port of the first child that is eliminated as number p (-1: none), of the second.
struct Join { int first, second, q1, q2, s, q, out, map; };  // first, second, out: offsets in a tile's doubles

template <int PANEL>
DEVICE void join(const Join &n, const int *maps, const double *from, double *to, double *v, int ld, bool last, int drivers, int t, int threads) {
  const int s = n.s, width = n.s + n.q;
  const int *place1 = maps + n.map, *place2 = place1 + n.q1, *source = place2 + n.q2, *rows1 = source + n.q, *rows2 = rows1 + n.s;
  const double *one = from + n.first, *two = from + n.second;
  for (int u = t; u < s * ld; u += threads) v[u] = 0.0;
  BARRIER;
  for (int child = 0; child < 2; child++) {
    const double *c = child ? two : one;
    const int *place = child ? place2 : place1, *rows = child ? rows2 : rows1;
    const int q = child ? n.q2 : n.q1, padded = (q + 31) & ~31;
    UNROLL_BY_4 for (int u = t; u < s * padded; u += threads) {
      int p = u / padded, j = u - p * padded, i = rows[p];
      if (i < 0 || j >= q || i == j) continue;
      int x = place[j];
      if (x >= 0) v[p * ld + x] += c[i * q + j];
    }
    BARRIER;
  }
  for (int p = t; p < s; p += threads) {  // diagonals: minus the sum
    double sum = 0.0;
    for (int j = 0; j < width; j++) { int x = (j + p) % width; sum += x == p ? 0.0 : v[p * ld + x]; }
    v[p * ld + p] = -sum;
    v[p * ld + width] = sum;  // kept, to see how much of a pivot is left
  }
  BARRIER;
  for (int p0 = 0; p0 < s; p0 += PANEL) {
    // the panel's own elimination: each thread does it for its columns, having factored the square
    double f[PANEL][PANEL], root[PANEL];
    UNROLL for (int a = 0; a < PANEL; a++)
      UNROLL for (int b = a; b < PANEL; b++) f[a][b] = v[(p0 + a) * ld + p0 + b];
    UNROLL for (int a = 0; a < PANEL; a++) {
      root[a] = rsqrt(-f[a][a]);
      // one thread looks; its first column takes part in all that follows
      if (t == 0 && !(-f[a][a] * CANCELS >= v[(p0 + a) * ld + width])) root[a] = no_number();
      UNROLL for (int b = a + 1; b < PANEL; b++) f[a][b] *= root[a];
      UNROLL for (int b = a + 1; b < PANEL; b++)
        UNROLL for (int c = b; c < PANEL; c++) f[b][c] += f[a][b] * f[a][c];
    }
    BARRIER;
    for (int j = p0 + PANEL + t; j < width; j += threads) {
      double x[PANEL];
      UNROLL for (int a = 0; a < PANEL; a++) x[a] = v[(p0 + a) * ld + j];
      UNROLL for (int a = 0; a < PANEL; a++) {
        x[a] *= root[a];
        UNROLL for (int b = a + 1; b < PANEL; b++) x[b] += f[a][b] * x[a];
      }
      UNROLL for (int a = 0; a < PANEL; a++) v[(p0 + a) * ld + j] = x[a];
    }
    BARRIER;
    // rows below: PANEL rows x 64 columns a warp
    const int rows = s - p0 - PANEL, first = p0 + PANEL, blocks = (width - first + 63) / 64;
    for (int u = t; u < rows / PANEL * blocks * 32; u += threads) {
      int lane = u & 31, task = u >> 5, i0 = first + task / blocks * PANEL, j0 = first + task % blocks * 64 + 2 * lane;
      if (j0 + 1 < i0 || j0 >= width) continue;
      double acc[PANEL][2];
      UNROLL for (int i = 0; i < PANEL; i++) { acc[i][0] = v[(i0 + i) * ld + j0]; acc[i][1] = v[(i0 + i) * ld + j0 + 1]; }
      UNROLL for (int p = 0; p < PANEL; p++) {
        const double *row = v + (p0 + p) * ld;
        double y0 = row[j0], y1 = row[j0 + 1];
        UNROLL for (int i = 0; i < PANEL; i++) { acc[i][0] += row[i0 + i] * y0; acc[i][1] += row[i0 + i] * y1; }
      }
      UNROLL for (int i = 0; i < PANEL; i++) { v[(i0 + i) * ld + j0] = acc[i][0]; v[(i0 + i) * ld + j0 + 1] = acc[i][1]; }
    }
    BARRIER;
  }
  // what stays; of the last join only drivers (the first drivers) to amplifiers
  const int q = n.q, begin = last ? drivers : 0, high = last ? drivers : q;
  double *out = to + n.out;
#ifdef __CUDACC__
  // tensor cores, 8 x 8 x 4 in float64: a warp makes 16 x 16; a thread has row r and columns 2 k, 2 k + 1 of each quarter
  const int down = (high + 15) / 16, across = (q - begin + 15) / 16, r = (t & 31) >> 2, k = t & 3;
  for (int task = t >> 5; task < down * across; task += threads >> 5) {
    const int i0 = task / across * 16, j0 = begin + task % across * 16;
    if (j0 < i0) continue;
    double acc[2][2][2];
    UNROLL for (int a = 0; a < 2; a++) {
      const int i = i0 + 8 * a + r, x = i < high ? source[i] : 0;
      const double *c = (x >> 15) ? two : one;
      const int row = (x & 0x7FFF) * ((x >> 15) ? n.q2 : n.q1);
      UNROLL for (int b = 0; b < 2; b++)
        UNROLL for (int d = 0; d < 2; d++) {
          const int j = j0 + 8 * b + 2 * k + d, y = j < q ? source[j] : 0;
          acc[a][b][d] = i < high && j < q && (x >> 15) == (y >> 15) ? c[row + (y & 0x7FFF)] : 0.0;
        }
    }
    const double *left = v + k * ld + s + i0 + r, *right = v + k * ld + s + j0 + r;
    UNROLL_BY_4 for (int p = 0; p < s; p += 4, left += 4 * ld, right += 4 * ld) {
      const double a0 = left[0], a1 = left[8], b0 = right[0], b1 = right[8];
#define MMA(A, B, C) asm("mma.sync.aligned.m8n8k4.row.col.f64.f64.f64.f64 {%0,%1},{%2},{%3},{%0,%1};" : "+d"(C[0]), "+d"(C[1]) : "d"(A), "d"(B))
      MMA(a0, b0, acc[0][0]); MMA(a0, b1, acc[0][1]); MMA(a1, b0, acc[1][0]); MMA(a1, b1, acc[1][1]);
    }
    UNROLL for (int a = 0; a < 2; a++)
      UNROLL for (int b = 0; b < 2; b++) {
        const int i = i0 + 8 * a + r, j = j0 + 8 * b + 2 * k;
        if (i >= high || j >= q) continue;
        if (last) {  // (B, W): amplifier j - drivers, driver i
          out[(j - drivers) * drivers + i] = acc[a][b][0];
          out[(j + 1 - drivers) * drivers + i] = acc[a][b][1];
          continue;
        }
        *(double2 *)(out + i * q + j) = make_double2(acc[a][b][0], acc[a][b][1]);
        if (j0 > i0) { out[j * q + i] = acc[a][b][0]; out[(j + 1) * q + i] = acc[a][b][1]; }
      }
  }
#else
  for (int i = 0; i < high; i++)
    for (int j = begin; j < q; j++) {
      const int x = source[i], y = source[j];
      double sum = (x >> 15) != (y >> 15) ? 0.0 : (x >> 15) ? two[(x & 0x7FFF) * n.q2 + (y & 0x7FFF)] : one[x * n.q1 + y];
      for (int p = 0; p < s; p++) sum += v[p * ld + s + i] * v[p * ld + s + j];
      if (last) out[(j - drivers) * drivers + i] = sum;
      else out[i * q + j] = sum;
    }
#endif
}

// The length of a row of a join's scratch: 8 spare columns for what the tensor cores read beyond the last, and 4
// modulo 16 so that four rows of four float64 lie in different banks.
DEVICE int row_length(int s, int q) { return (s + q + 19) / 16 * 16 + 4; }

constexpr int WARPS = 4;  // leaves of a block

// Grid: leaves of a tile / 4, tiles. `lines` x `columns` cells, multiples of 8.
KERNEL(leaves, 32 * WARPS, 3)(const double *cells, const double *word, const double *bit, int lines, int columns, int64_t out_size, double *out) {
  const int across = columns / SIDE, count = lines / SIDE * across, first = BLOCK_X * WARPS;
  cells += BLOCK_Y * (int64_t)lines * columns;
  out += BLOCK_Y * out_size;
  SHARED Chains s[WARPS];
#ifdef __CUDACC__
  const int lane = THREAD & 31, warp = THREAD >> 5;
  if (warp == 0) {  // a lane for each word line of the four leaves
    const int mine = first + (lane >> 3), r = mine / across * SIDE + (lane & 7), c = mine % across * SIDE;
    const int64_t at = (int64_t)r * columns + c;
    if (mine < count) chain(s[lane >> 3], lane & 7, cells + at, word + at, bit + at, c + SIDE == columns);
  }
  BARRIER;
  const int block = first + warp;
  if (block < count) leaf(s[warp], block < across, out + block * 1024ll, lane);
#else
  for (int block = first; block < count && block < first + WARPS; block++) {
    const int r = block / across * SIDE, c = block % across * SIDE;
    for (int i = 0; i < SIDE; i++) {
      const int64_t at = (int64_t)(r + i) * columns + c;
      chain(s[0], i, cells + at, word + at, bit + at, c + SIDE == columns);
    }
    leaf(s[0], block < across, out + block * 1024ll);
  }
#endif
}

// Grid: joins of a level, tiles.
#define JOIN_ARGUMENTS                                                                              \
  const Join *plan, const int *maps, const double *from, int64_t from_size, double *to, int64_t to_size, int last, int drivers
#define JOIN(PANEL, SCRATCH)                                                                           \
  const Join n = plan[BLOCK_X];                                                                     \
  const int ld = row_length(n.s, n.q);                                                              \
  join<PANEL>(n, maps, from + BLOCK_Y * from_size, to + BLOCK_Y * to_size, SCRATCH, ld, last, drivers, THREAD, THREADS)
#define JOINS(NAME, PANEL, ...)                                                                     \
  KERNEL(NAME, __VA_ARGS__)(JOIN_ARGUMENTS) {                                                       \
    ROOM(8 * plan[BLOCK_X].s * row_length(plan[BLOCK_X].s, plan[BLOCK_X].q));                       \
    JOIN(PANEL, (double *)room);                                                                    \
  }
JOINS(joins_small, 4, 128, 6)
JOINS(joins, 8, 256, 2)
JOINS(joins_large, 8, 512, 1)
// the same with its scratch in global memory, for joins that are too large: `scratch` doubles a block
KERNEL(joins_global, 384, 1)(JOIN_ARGUMENTS, double *v, int64_t scratch) {
  JOIN(8, v + (BLOCK_Y * (int64_t)BLOCKS_X + BLOCK_X) * scratch);
}
